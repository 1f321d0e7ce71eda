"""Batches through the pipeline, in one thread, and what came out of it to the journal. It knows neither of the two."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from chaperone.collector.ingest.service import Arrival, Durable
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, Record


class Takes(Protocol):
    """The pipeline."""

    def take(self, record: Record, wall_offset: int) -> None:
        """One record, its rows to the pipeline's sink."""
        ...


class Journal(Protocol):
    """The store."""

    def refusal(self) -> str:
        """Why nothing can be stored now; "" when it can."""
        ...

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        ...

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0) -> Durable:
        """Until rows are durable."""
        ...


class PipelineIntake:
    """An ingest.service.Intake. `rows` is the pipeline's sink and is emptied after each batch."""

    def __init__(self, pipeline: Takes, rows: list[Any], journal: Journal) -> None:
        self._pipeline, self._rows, self._journal = pipeline, rows, journal
        self._thread = ThreadPoolExecutor(1, "pipeline")

    def refusal(self) -> str:
        """Why nothing can be taken now."""
        return self._journal.refusal()

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        return await self._journal.next_batch(agent)

    async def take(self, arrival: Arrival) -> Durable:
        """A batch's records through the pipeline; a bad batch leaves a note."""
        try:
            rows = await self._run(lambda: self._through(arrival.records(), arrival.wall_offset))
        except ValueError as error:
            note = Note(SessionId(""), 0, f"agent {arrival.agent}", f"batch {arrival.number} was refused: {error}", complete=False)
            self._journal.commit(await self._run(lambda: self._through([note], arrival.wall_offset)))
            raise
        return self._journal.commit(rows, arrival.agent, arrival.number + 1)

    def settled(self) -> Durable:
        """Until all that was taken so far is durable."""
        return self._journal.commit([])

    def close(self) -> None:
        """No more batches."""
        self._thread.shutdown()

    async def _run(self, function: Callable[[], list[Any]]) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _through(self, records: list[Record], wall_offset: int) -> list[Any]:
        for record in records:
            self._pipeline.take(record, wall_offset)
        rows = self._rows[:]
        self._rows.clear()
        return rows
