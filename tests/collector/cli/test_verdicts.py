import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import documents as d
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.app import app

__all__ = ["filled"]
RUN = CliRunner().invoke


def test_verdicts_are_listed_with_what_nobody_carried_out(filled: Path) -> None:
    told = RUN(app, ["verdicts", "list", "--store", str(filled)]).stdout.splitlines()
    assert told[0].split() == ["ID", "AGE", "SEVERITY", "ACTION", "RULE", "CALL", "MESSAGE"]
    assert "no-privileged-exec" in told[1] and "[not carried out: nobody did]" in told[1]


def test_as_json_they_are_documents(filled: Path) -> None:
    [found] = json.loads(RUN(app, ["verdicts", "list", "--action", "deny", "-o", "json", "--store", str(filled)]).stdout)
    assert (found["call"], found["rule"], "cursor" in found) == (d.EXEC, "no-privileged-exec", False)
    assert RUN(app, ["verdicts", "list", "--severity", "low", "--store", str(filled)]).stderr == "No verdicts found.\n"


def test_a_call_and_its_session_and_replay_name_them(filled: Path) -> None:
    shown = RUN(app, ["calls", "show", d.EXEC, "--store", str(filled)]).stdout
    assert "Verdict:     deny by no-privileged-exec (high): exec into privileged pod" in shown
    assert "Verdicts:    1 deny (1 not carried out)" in RUN(app, ["sessions", "show", d.SESSION, "--store", str(filled)]).stdout
    assert "§ deny by no-privileged-exec" in RUN(app, ["replay", d.SESSION, "--no-wait", "--store", str(filled)]).stdout


def test_following_prints_what_there_is_and_goes_on(filled: Path) -> None:
    command = [Path(sys.executable).with_name("chaperone"), "verdicts", "list", "-f", "-o", "jsonl", "--store", str(filled)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["action"] == "deny"
        time.sleep(1.5)
        assert process.poll() is None
        process.send_signal(2)
        assert process.wait(30) == 130


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_following_needs_a_form_that_goes_on(form: str) -> None:
    assert RUN(app, ["verdicts", "list", "-f", "-o", form]).exit_code == 2
