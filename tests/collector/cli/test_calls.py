"""`chaperone calls` over a real store and its collector."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.documents import CALL, EXEC
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError

__all__ = ["filled"]
RUN = CliRunner().invoke


def ids(store: Path, *options: str) -> list[str]:
    found = RUN(app, ["calls", "list", "-o", "jsonl", "--store", str(store), *options])
    assert found.exit_code == 0
    return [json.loads(line)["id"] for line in found.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [CALL, EXEC]),
        (["--session", "latest"], [CALL, EXEC]),
        (["--since", "100000d"], [CALL, EXEC]),
        (["--since", "1s"], []),
        (["--resource", "pods/exec"], [EXEC]),
        (["--resource", "secrets", "--verb", "get", "-n", "default", "--name", "db", "--code", "200"], [CALL]),
        (["--namespace", "other"], []),
        (["--user", "system:serviceaccount:default:ai-agent", "--limit", "1"], [EXEC]),
    ],
)
def test_calls_are_listed_by_what_they_are(filled: Path, options: list[str], expected: list[str]) -> None:
    assert ids(filled, *options) == expected


def test_the_table_names_process_verb_object_code_and_timing(filled: Path) -> None:
    first = RUN(app, ["calls", "list", "--store", str(filled)]).stdout.splitlines()[1]
    assert first.split()[2:] == ["kubectl[4242]", "get", "secrets/db", "default", "200", "3.5ms", "ok"]


def test_no_call_found_is_said_on_stderr(filled: Path) -> None:
    found = RUN(app, ["calls", "list", "--name", "nothing", "--store", str(filled)])
    assert (found.stdout, found.stderr, found.exit_code) == ("", "No calls found.\n", 0)


def test_a_call_is_shown_with_its_masked_body(filled: Path) -> None:
    shown = RUN(app, ["calls", "show", CALL[:5], "--store", str(filled)]).stdout
    assert "password: '[masked:15:2f]'" in shown


def test_a_call_is_shown_as_yaml_with_its_pieces(filled: Path) -> None:
    shown = yaml.safe_load(RUN(app, ["calls", "show", EXEC, "-o", "yaml", "--store", str(filled)]).stdout)
    assert [piece["body"]["data"] for piece in shown["pieces"]] == ["total 0\x1b[2J\n", "no\n"]
    assert "cursor" not in shown


@pytest.mark.parametrize(
    ("id_", "sentence"),
    [
        ("ca11", "2 calls' ids begin with 'ca11': ca11000000000000, ca11111111111111"),
        ("ffff", "no call's id begins with 'ffff'"),
        ("xyz", "id must be an id: up to 32 hex digits"),
    ],
)
def test_an_id_that_names_no_single_call_is_one_sentence(filled: Path, id_: str, sentence: str) -> None:
    found = RUN(app, ["calls", "show", id_, "--store", str(filled)])
    assert isinstance(found.exception, CommandError)
    assert (found.exception.sentence, found.exit_code) == (sentence, 1)


def test_following_goes_on_until_it_is_interrupted(filled: Path) -> None:
    command = [Path(sys.executable).with_name("chaperone"), "calls", "list", "-f", "-o", "jsonl", "--store", str(filled)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = [json.loads(process.stdout.readline())["id"] for _ in range(2)]
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert first == [CALL, EXEC]


def test_following_has_no_array(filled: Path) -> None:
    assert RUN(app, ["calls", "list", "-f", "-o", "json", "--store", str(filled)]).exit_code == 2
