"""Group commit: rows of many batches in one durable write, and each batch told when it is durable.

One task writes, in one thread. When a write fails, its batches are told so at once and the rows stay with the writer, which
tries again until there is space; meanwhile `refusal` says why nothing new is taken.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from chaperone.collector.store.engine import StoreError
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer

_URGENT = (Kind.SESSION, Kind.APPROVAL, Kind.KILL)  # somebody waits for them
Run = Callable[[Callable[[], None]], Awaitable[None]]  # runs a function in the store's thread


@dataclass(frozen=True, slots=True)
class Pace:
    """How long rows wait for company, how many at most, and how soon a failed write is tried again."""

    delay_s: float = 0.2
    rows: int = 5_000
    retry_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Portion:
    """One batch's rows: with them and the marks, all of `agent` below `next_batch` is stored, as of its `turn`. No agent: the collector's
    own."""

    rows: list[Row]
    agent: str = ""
    next_batch: int = 0
    marks: Sequence[StreamMark] = ()
    turn: int = 0


@dataclass(slots=True)
class _Waiting:
    portions: list[Portion] = field(default_factory=list)
    tickets: list["asyncio.Future[str]"] = field(default_factory=list)
    since: float | None = None  # the first one came


class Committer:
    """Takes portions from the event loop; `serve` must be running."""

    def __init__(self, writer: Writer, run: Run, pace: Pace) -> None:
        self._writer, self._run, self._pace = writer, run, pace
        self._waiting = _Waiting()
        self._wanted, self._urgent = asyncio.Event(), asyncio.Event()
        self._writing = False
        self._unwritten: float | None = None  # since when the writer has rows that are not durable
        self.refusal = ""  # why nothing can be stored now

    @property
    def lag_s(self) -> float:
        """For how long the oldest of what is not durable has waited for that."""
        since = self._unwritten if self._unwritten is not None else self._waiting.since
        return time.monotonic() - since if since is not None else 0.0

    def put(self, portion: Portion) -> "asyncio.Future[str]":
        """Resolves to "" when the portion is durable, or to why it is not (yet). One without rows waits for those before it."""
        ticket: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if not (portion.rows or portion.agent) and self._is_settled():
            ticket.set_result("")
            return ticket
        if self._waiting.since is None:
            self._waiting.since = time.monotonic()
        self._waiting.portions.append(portion)
        self._waiting.tickets.append(ticket)
        self._wanted.set()
        if self._is_urgent(portion):
            self._urgent.set()
        return ticket

    async def serve(self) -> None:
        """Write what comes until cancelled."""
        while True:
            await self._wanted.wait()
            await self._gather()
            await self.flush()
            if self.refusal:
                await asyncio.sleep(self._pace.retry_s)
                self._wanted.set()

    async def flush(self) -> None:
        """Write what waits now."""
        waiting, self._waiting = self._waiting, _Waiting()
        self._wanted.clear()
        self._urgent.clear()
        self._writing = True
        if self._unwritten is None:
            self._unwritten = waiting.since
        try:
            await self._run(lambda: self._write(waiting.portions))
            self.refusal, self._unwritten = "", None
        except StoreError as error:
            self.refusal = str(error)
        finally:
            self._writing = False
        for ticket in waiting.tickets:
            if not ticket.done():
                ticket.set_result(self.refusal)

    def _write(self, portions: list[Portion]) -> None:
        for portion in portions:
            for row in portion.rows:
                self._writer.append(row)
            for mark in portion.marks:
                self._writer.mark(mark, portion.turn)
            if portion.agent:
                self._writer.advance(portion.agent, portion.next_batch, portion.turn)
        self._writer.flush()

    async def _gather(self) -> None:
        """Wait for more rows, unless enough are here or somebody waits for the end of a session."""
        try:
            await asyncio.wait_for(self._urgent.wait(), self._pace.delay_s)
        except TimeoutError:
            return

    def _is_settled(self) -> bool:
        return not (self._writing or self._waiting.portions or self.refusal)

    def _is_urgent(self, portion: Portion) -> bool:
        many = sum(len(waiting.rows) for waiting in self._waiting.portions) >= self._pace.rows
        return many or any(row.kind in _URGENT for row in portion.rows)
