"""`chaperone accesses` (what it lists comes over the network: tests/collector/test_live_doors.py)."""

from pathlib import Path

from support.filled_store import filled
from typer.testing import CliRunner

from chaperone.collector.cli.accesses import _row
from chaperone.collector.cli.app import app
from chaperone.collector.cli.show.table import Cell

__all__ = ["filled"]


def test_the_owner_of_a_store_leaves_none(filled: Path) -> None:
    assert CliRunner().invoke(app, ["accesses", "list", "--store", str(filled)]).stderr == "No accesses found.\n"


def test_a_denied_access_is_marked() -> None:
    access = {"time": "2026-01-02T03:04:05.000000006Z", "user": "eve", "means": "token", "question": "replay", "session": "5e" * 16}
    row = _row(access | {"parameters": {"session": "5e" * 16, "bodies": True}, "allowed": False}, 0)
    assert row == ["2026-01-02T03:04:05Z", "eve", "token", "replay", "5e5e5e5e", '{"bodies": true}', Cell("denied", "bad")]
