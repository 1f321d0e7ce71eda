"""`chaperone replay` over a real store; its pace."""

import time
from pathlib import Path

from support.documents import at
from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.replay import paced

__all__ = ["filled"]
RUN = CliRunner().invoke


def test_a_session_is_replayed(filled: Path) -> None:
    shown = RUN(app, ["replay", "--no-wait", "--store", str(filled)]).stdout
    steps = [
        "begins",
        "starts",
        "→ get secrets/db",
        "← 200",
        "ends with",
        "total 0\\x1b[2J",
        "stderr│ no",
        "exit 3",
        "session 5e5e5e5e ends",
    ]
    places = [shown.index(step) for step in steps]
    assert places == sorted(places)
    assert "\x1b" not in shown


def test_the_recorded_pace_is_kept_and_can_be_quickened(filled: Path) -> None:
    def seconds(speed: str) -> float:
        began = time.monotonic()
        assert RUN(app, ["replay", "--speed", speed, "--store", str(filled)]).exit_code == 0
        return time.monotonic() - began

    seconds("1000x")  # starts the collector
    slow, fast = seconds("1x"), seconds("100x")
    assert 0.5 <= slow < 5
    assert fast < slow - 0.2


def test_output_of_commands_can_be_written_as_it_was(filled: Path) -> None:
    assert "total 0\x1b[2J" in RUN(app, ["replay", "--no-wait", "--raw", "--store", str(filled)]).stdout


def test_bodies_can_be_left_out(filled: Path) -> None:
    assert "password" not in RUN(app, ["replay", "--no-wait", "--body-lines", "0", "--store", str(filled)]).stdout


def test_a_moment_without_a_time_comes_at_once() -> None:
    moments = [{"at": at(0), "kind": "a"}, {"at": "", "kind": "b"}, {"at": at(20), "kind": "c"}]
    began = time.monotonic()
    assert [moment["kind"] for moment in paced(iter(moments), 1.0)] == ["a", "b", "c"]
    assert 0.02 <= time.monotonic() - began < 10


def test_a_speed_that_is_none_is_a_usage_error() -> None:
    for speed in ("fast", "0x", "-1", "nan"):
        assert RUN(app, ["replay", "--speed", speed]).exit_code == 2
