"""A store with one recorded session, made of tests/support/documents.py, in a process of its own (chdb opens one path a process)."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import documents as d

from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import hold
from chaperone.collector.store.opened import opened
from chaperone.collector.store.rows import Kind, Row

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled store that nobody has open."""
    directory = tmp_path_factory.mktemp("filled") / "store"
    fill(directory)
    return directory


def fill(directory: Path) -> None:
    """Make the store."""
    tests = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-m", "support.filled_store", str(directory)], check=True, timeout=60, cwd=tests)


async def _fill(directory: Path, rows: list[Row]) -> None:
    with hold(directory) as held:
        async with opened(held, Pace()) as store:
            ticket = store.commit(rows)
            await store.finish()
            assert await ticket == ""


def _row(kind: Kind, document: dict[str, Any], **places: str) -> Row:
    nanoseconds = int(document["time"].partition(".")[2].removesuffix("Z"))
    piece = f"{document.get('call')}/{document.get('direction')}/{document.get('position')}/{nanoseconds}"
    ids = {"id": document.get("id", piece if kind is Kind.PIECE else document["time"]), "session": d.SESSION}
    return Row(kind, ids["session"], ids["id"], 4, nanoseconds, d.START * SECOND + nanoseconds, document, **places)


def _rows() -> list[Row]:
    calls = [d.call(), d.exec_call()]
    pieces = [d.piece("stdout", "total 0\x1b[2J\n", 300), d.piece("stderr", "no\n", 310)]
    return [
        _row(Kind.SESSION, d.session()),
        _row(Kind.PROCESS, d.process(), process=d.PROCESS),
        *(_row(Kind.CALL, call, stream=d.STREAM, process=d.PROCESS) for call in calls),
        *(_row(Kind.PIECE, piece, stream=d.STREAM, call=d.EXEC) for piece in pieces),
        _row(Kind.CONNECTION, d.connection(), process=d.PROCESS),
        _row(Kind.EXCHANGE, d.exchange(), stream=d.STREAM, process=d.PROCESS),
        _row(Kind.VERDICT, d.verdict(), stream=d.STREAM, process=d.PROCESS, call=d.EXEC),
    ]


if __name__ == "__main__":
    asyncio.run(_fill(Path(sys.argv[1]), _rows()))
