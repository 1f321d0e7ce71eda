"""doctor names what is missing, with its fix."""

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from chaperone.collector.cli import doctor as module
from chaperone.collector.cli.doctor import Need, agent_needs, doctor, store_needs

app = typer.Typer()
app.command()(doctor)


def pretend(monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    monkeypatch.setattr(module, "AGENT", (sys.executable, "-c", f"print({printed!r})"))


def test_a_missing_thing_is_listed_with_its_fix_and_the_status_is_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, json.dumps([{"what": "the Python module bcc is missing", "fix": "apt-get install python3-bpfcc"}]))
    done = CliRunner().invoke(app, ["--store", str(tmp_path)])
    assert done.exit_code == 1
    assert "missing   the Python module bcc is missing" in done.output
    assert "apt-get install python3-bpfcc" in done.output


def test_what_works_less_is_listed_and_the_status_is_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, json.dumps([{"what": "no call can be held", "fix": "boot otherwise", "is_limit": True}]))
    done = CliRunner().invoke(app, ["--store", str(tmp_path)])
    assert done.exit_code == 0
    assert "limited   no call can be held" in done.output and "boot otherwise" in done.output
    assert "the probes load" in done.output


def test_a_machine_that_can_record_is_0_in_json_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, "[]")
    done = CliRunner().invoke(app, ["--store", str(tmp_path / "new"), "-o", "json"])
    assert done.exit_code == 0
    assert [need["ok"] for need in json.loads(done.output)] == [True, True]


def test_an_agent_that_cannot_even_check_is_a_missing_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "no json")
    (need,) = agent_needs()
    assert not need.ok


def test_a_store_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (need,) = store_needs(Path("/proc/chaperone"))
    assert not need.ok
    assert need.what.startswith("the store /proc/chaperone can be written: ")
    assert list(store_needs(tmp_path / "a/b")) == [Need(True, f"the store {tmp_path / 'a/b'} can be written")]
    assert list(tmp_path.iterdir()) == []
