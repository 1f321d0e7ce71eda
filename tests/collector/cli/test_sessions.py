"""`chaperone sessions` over a real store and its collector."""

import json
from pathlib import Path

from support.documents import SESSION
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError

__all__ = ["filled"]
RUN = CliRunner().invoke


def test_sessions_are_listed(filled: Path) -> None:
    heading, line = RUN(app, ["sessions", "list", "--store", str(filled)]).stdout.splitlines()
    assert heading.split() == ["ID", "AGE", "COMMAND", "USER", "CALLS", "BYTES", "STATE"]
    assert line.startswith("5e5e5e5e ")
    assert "bash -c 'kubectl get secret db'   alice" in line


def test_sessions_are_listed_as_json(filled: Path) -> None:
    (session,) = json.loads(RUN(app, ["sessions", "list", "-o", "json", "--store", str(filled)]).stdout)
    assert (session["id"], session["calls"], session["complete"]) == (SESSION, 2, True)


def test_sessions_of_no_pod_are_left_out_where_one_is_asked_for(filled: Path) -> None:
    found = RUN(app, ["sessions", "list", "-n", "agents", "--pod", "coder", "--store", str(filled)])
    assert (found.stdout, found.stderr) == ("", "No sessions found.\n")


def test_a_session_is_shown_with_its_processes_and_the_next_step(filled: Path) -> None:
    shown = RUN(app, ["sessions", "show", "5E5E", "--store", str(filled)]).stdout
    assert "Complete:    yes" in shown
    assert "4242   /usr/bin/kubectl   kubectl get secret db" in shown
    assert f"chaperone calls list --session 5e5e5e5e --store {filled}" in shown


def test_old_sessions_can_be_left_out(filled: Path) -> None:
    found = RUN(app, ["sessions", "list", "--since", "1s", "--store", str(filled)])
    assert (found.stdout, found.stderr, found.exit_code) == ("", "No sessions found.\n", 0)


def test_an_unknown_session_is_one_sentence(filled: Path) -> None:
    found = RUN(app, ["sessions", "show", "abc", "--store", str(filled)])
    assert isinstance(found.exception, CommandError)
    assert found.exception.sentence == "no session is called 'abc'"


def test_what_was_done_is_summed_up(filled: Path) -> None:
    options = ["sessions", "summary", "--since", "100000d", "--store", str(filled)]
    (found,) = json.loads(RUN(app, [*options, "-o", "json"]).stdout)
    assert (found["session"], found["calls"], found["secretsRead"], found["exec"], found["alerts"]) == (SESSION, 2, 1, 1, 1)
    heading, line = RUN(app, options).stdout.splitlines()
    assert heading.split() == ["ID", "COMMAND", "CALLS", "WRITES", "SECRETS", "EXEC", "DENIED", "FAILED", "ALERTS", "MOST"]
    assert line.startswith("5e5e5e5e   bash -c 'kubectl get secret db'   2 ")
    assert RUN(app, [*options, "--by", "user"]).stdout.splitlines()[1].split()[:3] == ["alice", "1", "2"]


def test_a_day_without_calls_is_said(filled: Path) -> None:
    found = RUN(app, ["sessions", "summary", "--store", str(filled)])
    assert (found.stdout, found.stderr, found.exit_code) == ("", "No calls found.\n", 0)
