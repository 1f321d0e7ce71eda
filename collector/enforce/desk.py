"""The outbox's own thread: SQLite waits for the disk there, and nobody else does."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from chaperone.collector.enforce.outbox import Outbox, OutboxError

T = TypeVar("T")
BROKEN = ".broken"


class Desk:
    """Runs functions on an open outbox, one after another."""

    def __init__(self, path: Path, outbox: Outbox, thread: ThreadPoolExecutor) -> None:
        self._path, self._outbox, self._thread = path, outbox, thread

    async def run(self, function: Callable[[Outbox], T]) -> T:
        """What the function makes of the outbox. sqlite3.Error when the disk is full or fails."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(self._outbox))

    async def renew(self) -> None:
        """Set a broken outbox aside and begin another."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._renew)

    def _renew(self) -> None:
        self._outbox.close()
        _set_aside(self._path)
        self._outbox = Outbox(self._path)

    async def close(self) -> None:
        """Close the outbox."""
        await self.run(Outbox.close)
        self._thread.shutdown()


async def open_desk(path: Path) -> Desk:
    """Open the outbox; one that is no database any more is set aside under another name. OutboxError when it can't be used."""
    thread = ThreadPoolExecutor(1, "outbox")
    try:
        outbox = await asyncio.get_running_loop().run_in_executor(thread, _opened, path)
    except BaseException:
        thread.shutdown()
        raise
    return Desk(path, outbox, thread)


def _opened(path: Path) -> Outbox:
    try:
        return Outbox(path)
    except sqlite3.OperationalError as error:
        raise OutboxError(f"the outbox {path} can't be opened: {error}") from None
    except sqlite3.DatabaseError:
        _set_aside(path)
        return Outbox(path)


def _set_aside(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        found = path.with_name(path.name + end)
        if found.exists():
            found.rename(path.with_name(path.name + BROKEN + end))
