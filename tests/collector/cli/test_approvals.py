"""`chaperone approvals` over a real store and its collector; who decides is this process, by its socket."""

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.receivers import serving, until
from support.stored_approvals import put
from typer.testing import CliRunner, Result

from chaperone.collector.cli import approvals as module
from chaperone.collector.cli.app import app
from chaperone.collector.cli.ask import ask
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.store.directory import DECISIONS, holder

RUN = CliRunner().invoke
ME = f"unix:{pwd.getpwuid(os.getuid()).pw_name}"
root_only = pytest.mark.skipif(os.getuid() != 0, reason="the approver of these rules is root")


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A store that nobody has open, in which four requests wait. Nobody decides on them here."""
    directory = tmp_path_factory.mktemp("waiting") / "store"
    return directory, put(directory)


@pytest.fixture
def fresh(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    return tmp_path / "store", put(tmp_path / "store")


def say(where: tuple[Path, dict[str, str]], *words: str) -> Result:
    return RUN(app, ["approvals", *words, "--store", str(where[0])])


def decided(where: tuple[Path, dict[str, str]], word: str, name: str, *more: str) -> Result:
    return say(where, word, where[1][name][:10].upper(), "--reason", "planned in CHG-1", *more)


def problem(result: Result) -> str:
    assert result.exit_code == 1 and isinstance(result.exception, CommandError)
    return result.exception.sentence


def test_what_waits_is_listed(waiting: tuple[Path, dict[str, str]]) -> None:
    heading, first, second, *_ = say(waiting, "list").stdout.splitlines()
    assert heading.split() == ["ID", "AGE", "STATE", "LEFT", "APPROVED", "RULE", "REQUESTER", "REQUEST"]
    assert first.split()[0] == waiting[1]["plain"][:8] and first.split()[2:6:2] == ["pending", "0/1"]
    assert "0/2" in second and second.endswith("create clusterroles/all: bash -l")
    assert [one["state"] for one in json.loads(say(waiting, "list", "--state", "pending", "-o", "json").stdout)] == ["pending"] * 4
    found = say(waiting, "list", "--state", "used")
    assert (found.stdout, found.stderr) == ("", "No approvals found.\n")
    assert say(waiting, "list", "-f", "-o", "json").exit_code == 2


def test_one_is_shown_whole(waiting: tuple[Path, dict[str, str]]) -> None:
    shown = say(waiting, "show", waiting[1]["two"][:8]).stdout
    for line in (
        "Shell:       bash, interactive",
        "Needs:       exec of agents wants 2 of unix:root, user:ann",
        '  + rules.[0].verbs: ["*"]',
    ):
        assert line in shown
    assert f"chaperone approvals approve {waiting[1]['two'][:8]} --reason …" in shown
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load), ("jsonl", json.loads)):
        found: dict[str, Any] = read(say(waiting, "show", waiting[1]["two"], "-o", form).stdout)
        assert found["id"] == waiting[1]["two"] and "cursor" not in found
    assert problem(say(waiting, "show", "ffffffff")) == "no approval's id begins with 'ffffffff'"


def test_ids_of_what_waits_are_completed(waiting: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPERONE_STORE", str(waiting[0]))
    assert module.known(waiting[1]["own"][:3].upper()) == [waiting[1]["own"][:12]]
    monkeypatch.setenv("CHAPERONE_STORE", str(waiting[0] / "none"))
    assert module.known("") == []


@root_only
def test_one_word_is_enough_where_one_is_wanted_and_it_is_on_record(fresh: tuple[Path, dict[str, str]]) -> None:
    short = fresh[1]["plain"][:12]
    assert decided(fresh, "approve", "plain").stdout == f"approval {short} approved\n"
    assert problem(decided(fresh, "approve", "plain")) == f"approval {short} is approved: there is nothing to decide"
    assert decided(fresh, "deny", "plain").stdout == f"approval {short} denied\n"
    [found] = ask(fresh[0], "approvals.list", id=short)
    assert [(vote["who"], vote["approves"], vote["why"]) for vote in found["votes"]] == [
        ("unix:root", True, "planned in CHG-1"),
        ("unix:root", False, "planned in CHG-1"),
    ]
    assert found["votes"][0]["how"].startswith(f"local socket, uid 0, pid {os.getpid()}")


@root_only
def test_where_two_are_wanted_one_word_twice_is_one(fresh: tuple[Path, dict[str, str]]) -> None:
    short = fresh[1]["two"][:12]
    assert decided(fresh, "approve", "two").stdout == f"approval {short} has your word; it wants more people's\n"
    assert "has approved" in problem(decided(fresh, "approve", "two"))
    assert json.loads(decided(fresh, "deny", "two", "-o", "json").stdout)["state"] == "denied"


def test_who_is_no_approver_or_asks_themselves_decides_nothing(fresh: tuple[Path, dict[str, str]]) -> None:
    assert f"{ME} is none of this rule's approvers: user:ann" in problem(decided(fresh, "approve", "other"))
    if ME == "unix:root":
        assert problem(decided(fresh, "approve", "own")) == "unix:root makes this request, and can't decide on it"
    assert problem(say(fresh, "approve", fresh[1]["own"], "--reason", " ")) != ""
    assert say(fresh, "approve", fresh[1]["plain"]).exit_code == 2, "a reason is asked for"
    assert [one["state"] for one in ask(fresh[0], "approvals.list")] == ["pending"] * 4


@root_only
def test_a_store_may_lie_deeper_than_a_socket_address_is_long(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120) / "store"
    directory.parent.mkdir()
    where = directory, put(directory)
    assert decided(where, "approve", "plain").exit_code == 0


@root_only
def test_people_are_told_what_became_of_it(fresh: tuple[Path, dict[str, str]]) -> None:
    alerts = fresh[0].parent / "alerts.yaml"
    with serving() as server:
        alerts.write_text(
            "apiVersion: chaperone.dev/v1\nkind: Alerting\n"
            f"receivers:\n- name: hook\n  webhook: {{url: '{server.url}', key: {'k' * 32}, timeout: 30s}}\n"
        )
        list(ask(fresh[0], "alerts.use", file=str(alerts)))
        decided(fresh, "deny", "two")
        until(lambda: server.got)
        [entry] = server.documents()[0]["alerts"]
    assert entry["alert"]["message"].startswith("denied by unix:root: planned in CHG-1. It was: ")
    assert entry["alert"]["approval"]["state"] == "denied" and entry["alert"]["approval"]["shell"] == "bash, interactive"


@root_only
def test_a_collector_that_dies_forgets_no_word(fresh: tuple[Path, dict[str, str]]) -> None:
    decided(fresh, "approve", "two")
    pid = next(ask(fresh[0], "status"))["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: holder(fresh[0]) is None)  # its last thread is over
    assert "has approved" in problem(decided(fresh, "approve", "two"))
    assert (fresh[0] / DECISIONS).exists()


@root_only
def test_changes_are_followed(fresh: tuple[Path, dict[str, str]]) -> None:
    command = [str(Path(sys.executable).with_name("chaperone")), "approvals", "list", "-f", "-o", "jsonl", "--store", str(fresh[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        before = [json.loads(following.stdout.readline()) for _ in range(4)]
        decided(fresh, "deny", "plain")
        after = json.loads(following.stdout.readline())
        following.send_signal(signal.SIGINT)
    assert {one["state"] for one in before} == {"pending"}
    assert (after["id"], after["state"]) == (fresh[1]["plain"], "denied")
