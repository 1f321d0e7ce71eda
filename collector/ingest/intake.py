"""Batches through the pipeline, in one thread, and what came out of it to the journal. It knows neither of the two."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

from chaperone.collector.ingest.ledger import Ledger
from chaperone.collector.ingest.service import Arrival, Durable, Taken
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, Record


class Takes(Protocol):
    """The pipeline."""

    def take(self, record: Record, wall_offset: int) -> None:
        """One record, its rows to the pipeline's sink."""
        ...

    def marks(self) -> tuple[list[Any], Collection[str]]:
        """Of the streams touched since the last call: marks (each names its `stream`), and which have none."""
        ...


class Journal(Protocol):
    """The store."""

    def refusal(self) -> str:
        """Why nothing can be stored now; "" when it can."""
        ...

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        ...

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Sequence[Any] = ()) -> Durable:
        """Until rows and marks are durable, and with them that `agent` need not say again what is below `next_batch`."""
        ...


@dataclass(frozen=True, slots=True)
class _Through:
    """What a batch came to."""

    rows: list[Any]
    marks: list[Any]
    unmarked: Collection[str]


class PipelineIntake:
    """An ingest.service.Intake. `rows`: the pipeline's sink, emptied after each batch; `clock`: makes one of boot, offset and when."""

    def __init__(self, pipeline: Takes, rows: list[Any], journal: Journal, clock: Callable[[str, int, int], Any]) -> None:
        self._pipeline, self._rows, self._journal, self._clock = pipeline, rows, journal, clock
        self._ledgers: dict[str, Ledger] = {}
        self._lowest: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, "pipeline")

    def refusal(self) -> str:
        """Why nothing can be taken now."""
        return self._journal.refusal()

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        return await self._journal.next_batch(agent)

    async def take(self, arrival: Arrival) -> Taken:
        """A batch's records through the pipeline; a bad batch leaves a note."""
        try:
            through = await self._run(lambda: self._through(arrival.records(), arrival))
        except ValueError as error:
            note = Note(SessionId(""), 0, f"agent {arrival.agent}", f"batch {arrival.number} was refused: {error}", complete=False)
            self._journal.commit((await self._run(lambda: self._through([note], arrival))).rows)
            raise
        ledger = self._ledgers.setdefault(arrival.agent, Ledger())
        lowest = ledger.take(arrival.number, arrival.size, [mark.stream for mark in through.marks], through.unmarked)
        self._lowest[arrival.agent] = lowest
        return Taken(self._journal.commit(through.rows, arrival.agent, lowest, through.marks), lowest - 1)

    def settled(self, agent: str) -> Taken:
        """All that was taken so far."""
        return Taken(self._journal.commit([]), self._lowest[agent] - 1 if agent in self._lowest else None)

    def close(self) -> None:
        """No more batches."""
        self._thread.shutdown()

    async def _run(self, function: Callable[[], _Through]) -> _Through:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _through(self, records: list[Record], arrival: Arrival) -> _Through:
        for record in records:
            self._pipeline.take(record, arrival.wall_offset)
        marks, unmarked = self._pipeline.marks()
        newest = max((getattr(record, "time", 0) for record in records), default=0)
        clock = self._clock(arrival.boot, arrival.wall_offset, newest)
        rows = [replace(row, clock=clock) for row in self._rows]
        self._rows.clear()
        return _Through(rows, marks, unmarked)
