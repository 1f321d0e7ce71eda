"""`chaperone alerts` over a real store, its outbox and its collector, and real receivers."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.filled_store import fill
from support.made_alerts import alert, gathered
from support.receivers import serving, until
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.ask import ask
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.enforce.alerting import NOBODY
from chaperone.collector.enforce.outbox import FILE, Outbox
from chaperone.collector.rules.verdict import Severity

RUN = CliRunner().invoke
HIGH, LOW = alert(1), alert(2, rule="minor", severity=Severity.LOW)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody has open, with two alerts."""
    directory = tmp_path_factory.mktemp("told") / "store"
    fill(directory)
    put(directory, HIGH, alert(3), LOW)
    return directory


def put(directory: Path, *alerts: object) -> None:
    outbox = Outbox(directory / FILE)
    outbox.add(gathered(*alerts), NOBODY, time.time_ns())  # type: ignore[arg-type]
    outbox.close()


def configured(directory: Path, url: str) -> Path:
    path = directory / "alerts.yaml"
    path.write_text(f"apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers:\n- name: oncall\n  slack: {{url: '{url}', timeout: 30s}}\n")
    return path


def test_alerts_are_listed(told: Path) -> None:
    heading, high, low = RUN(app, ["alerts", "list", "--store", str(told)]).stdout.splitlines()
    assert heading.split() == ["ID", "AGE", "SEVERITY", "SAYS", "RULE", "COUNT", "WORKLOAD", "MESSAGE", "STATE"]
    assert high.split()[0] == HIGH.id[:8] and high.split()[2:6] == ["high", "alert", "surge", "2"]
    assert low.split()[2:6] == ["low", "alert", "minor", "1"]


def test_filters_go_with_the_question(told: Path) -> None:
    for options, wanted in ([["--severity", "high"], ["surge"]], [["--rule", "minor"], ["minor"]], [["--since", "1h"], ["surge", "minor"]]):
        found = json.loads(RUN(app, ["alerts", "list", *options, "-o", "json", "--store", str(told)]).stdout)
        assert [one["rule"] for one in found] == wanted
    found = RUN(app, ["alerts", "list", "--session", "ab", "--store", str(told)])
    assert (found.stdout, found.stderr) == ("", "No alerts found.\n")


def test_one_is_shown_in_full(told: Path) -> None:
    assert "surge of agents says alert (observe)" in RUN(app, ["alerts", "show", HIGH.id[:6].upper(), "--store", str(told)]).stdout
    assert json.loads(RUN(app, ["alerts", "show", HIGH.id, "-o", "json", "--store", str(told)]).stdout)["count"] == 2
    found = RUN(app, ["alerts", "show", "ffffffff", "--store", str(told)])
    assert isinstance(found.exception, CommandError) and found.exception.sentence == "no alert's id begins with 'ffffffff'"


def test_what_is_acknowledged_says_so(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    put(tmp_path / "store", HIGH, LOW)
    place = ["--store", str(tmp_path / "store")]
    assert RUN(app, ["alerts", "ack", HIGH.id[:8], *place]).stdout == "1 alert acknowledged\n"
    assert [one["rule"] for one in json.loads(RUN(app, ["alerts", "list", "--unacked", "-o", "json", *place]).stdout)] == ["minor"]
    assert [one["rule"] for one in json.loads(RUN(app, ["alerts", "ack", "--all", "-o", "json", *place]).stdout)] == ["minor"]
    assert RUN(app, ["alerts", "list", *place]).stdout.count("acked") == 2


@pytest.mark.parametrize("options", [["ack"], ["ack", "x", "--all"], ["list", "-f", "-o", "json"]])
def test_contradictions_are_usage_errors(options: list[str]) -> None:
    assert RUN(app, ["alerts", *options]).exit_code == 2


def test_following_shows_what_comes(tmp_path: Path) -> None:
    fill(tmp_path)
    put(tmp_path, LOW)
    command = [str(Path(sys.executable).with_name("chaperone")), "alerts", "list", "-f", "-o", "jsonl", "--store", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        put(tmp_path, alert(4, rule="minor", severity=Severity.LOW))
        again = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert (first["count"], again["count"], first["id"]) == (1, 2, again["id"])


def test_a_test_message_is_sent_from_here_by_a_file(tmp_path: Path) -> None:
    with serving(200, 500) as server:
        options = ["alerts", "test", "--alerts", str(configured(tmp_path, server.url))]
        sent, failed = RUN(app, options), RUN(app, options)
        assert (sent.stdout, sent.exit_code) == ("oncall: sent: answered 200\n", 0)
        assert (failed.stdout, failed.exit_code) == ("oncall: NOT sent: answered 500\n", 1)
        assert "This is a test" in server.got[0].body.decode()


def test_a_bad_file_or_an_unknown_receiver_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers: [{name: a, slack: {url: s3cret}}]")
    found = RUN(app, ["alerts", "test", "--alerts", str(tmp_path / "bad.yaml")])
    assert isinstance(found.exception, CommandError)
    assert "bad.yaml:3: receivers[0].slack.url: expected an https:// URL" in found.exception.sentence
    good = configured(tmp_path, "https://slack.test/")
    found = RUN(app, ["alerts", "test", "--alerts", str(good), "--receiver", "x"])
    assert isinstance(found.exception, CommandError) and "there are oncall" in found.exception.sentence


def test_the_collector_sends_a_test_message_by_its_own_file(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    place = ["--store", str(tmp_path / "store")]
    found = RUN(app, ["alerts", "test", *place])
    assert isinstance(found.exception, CommandError) and found.exception.sentence.startswith("there are no receivers")
    with serving() as server:
        path = configured(tmp_path, server.url)
        list(ask(tmp_path / "store", "alerts.use", file=str(path)))
        assert RUN(app, ["alerts", "test", "--receiver", "oncall", *place]).stdout == "oncall: sent: answered 200\n"
        assert until(lambda: len(server.got)) == 1
