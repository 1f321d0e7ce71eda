"""Batches through the pipeline, one after another, and what came out of it to the journal. It knows neither of the two."""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from chaperone.collector.ingest.ledger import Ledger
from chaperone.collector.ingest.outgoing import Outgoing
from chaperone.collector.ingest.service import Arrival, Durable, Greeting, Standing, Taken
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, Record

Told = tuple[str, pb.Downward]  # an agent, and what it is told
Result = TypeVar("Result")
SHORT = 16 << 10  # bytes of a batch that is not worth two changes of threads, for which somebody waits: 0.3 ms and more


class Takes(Protocol):
    """The pipeline."""

    def take(self, record: Record, wall_offset: int, agent: str) -> None:
        """One record of an agent, its rows to the pipeline's sink."""
        ...

    def orders(self) -> list[Told]:
        """A batch is over: what agents are told."""
        ...

    def look_again(self, agent: str) -> list[Told]:
        """Somebody has decided, or the deadline has come: what an agent is told."""
        ...

    @property
    def deadline(self) -> int:
        """When to look again at the latest (monotonic ns); 0 for never."""
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


class Succession(Protocol):
    """Where several collectors share a store: who goes on with what."""

    async def greet(self, agent: str, call: int, step: int) -> Any:
        """An agent calls: its {next_batch, is_taken_over}; it is ours from now on."""
        ...

    async def inherit(self, agent: str, boot: str) -> Callable[[], None]:
        """What the store has of an agent of this boot; called in the pipeline's thread, we go on from there."""
        ...


@dataclass(frozen=True, slots=True)
class _Through:
    """What a batch came to."""

    rows: list[Any]
    marks: list[Any]
    unmarked: Collection[str]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What agents are told of a batch, and the rest of what it came to: None where that is still to be made, once they are told."""

    told: list[Told]
    through: _Through | None


class PipelineIntake:
    """An ingest.service.Intake. `rows`: the pipeline's sink, emptied after each batch; `clock`: makes one of boot, offset and when."""

    def __init__(self, pipeline: Takes, rows: list[Any], journal: Journal, clock: Callable[[str, int, int], Any]) -> None:
        self._pipeline, self._rows, self._journal, self._clock = pipeline, rows, journal, clock
        self.succession: Succession | None = None  # nobody else writes to the store
        self.looks_up = True  # the pipeline may wait for an API server
        self.outgoing, self._clocks = Outgoing(), dict[str, Any]()  # the clocks of agents, as they last said
        self._looking: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._ledgers: dict[str, Ledger] = {}
        self._lowest: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, "pipeline")
        self._turn = asyncio.Lock()  # of a batch

    def refusal(self) -> str:
        """Why nothing can be taken now."""
        return self._journal.refusal()

    async def greet(self, greeting: Greeting) -> Standing:
        """How far an agent is. One that another collector had meanwhile is taken over from the store, once all that we had is there."""
        agent = greeting.agent
        if self.succession is None:
            return Standing(await self._journal.next_batch(agent))
        await self._journal.commit([])
        found = await self.succession.greet(agent, greeting.call, greeting.step)
        if not found.is_taken_over:
            return Standing(found.next_batch)
        go_on = await self.succession.inherit(agent, greeting.boot)
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(self._thread, go_on)
        self._ledgers.pop(agent, None)
        self._lowest.pop(agent, None)
        return Standing(found.next_batch, is_taken_over=True)

    async def take(self, arrival: Arrival) -> Taken:
        """A batch's records through the pipeline; a bad batch leaves a note. Who hangs up meanwhile loses nothing of it."""
        return await asyncio.shield(self._started(self._take(arrival)))

    async def _take(self, arrival: Arrival) -> Taken:
        try:
            through = await self._through(lambda: self._judged(arrival.records(), arrival), arrival.agent, arrival.size <= SHORT)
        except ValueError as error:
            note = Note(SessionId(""), 0, f"agent {arrival.agent}", f"batch {arrival.number} was refused: {error}", complete=False)
            self._journal.commit((await self._through(lambda: self._judged([note], arrival), arrival.agent)).rows)
            raise
        ledger = self._ledgers.setdefault(arrival.agent, Ledger())
        lowest = ledger.take(arrival.number, arrival.size, [mark.stream for mark in through.marks], through.unmarked)
        self._lowest[arrival.agent] = lowest
        return Taken(self._journal.commit(through.rows, arrival.agent, lowest, through.marks), lowest - 1)

    def settled(self, agent: str) -> Taken:
        """All that was taken so far."""
        return Taken(self._journal.commit([]), self._lowest[agent] - 1 if agent in self._lowest else None)

    async def look_again(self) -> None:
        """What has waited is asked about once more: somebody has decided, or time has passed."""
        self._journal.commit((await self._through(self._again)).rows)

    def look(self) -> None:
        """`look_again`, soon. Called in the event loop."""
        self._started(self.look_again())

    def _started(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def close(self) -> None:
        """No more batches."""
        if self._looking:
            self._looking.cancel()
        for task in self._under_way:
            task.cancel()
        self._thread.shutdown()

    async def _through(self, judge: Callable[[], _Judged], agent: str = "", is_short: bool = False) -> _Through:
        """In the pipeline's thread; what is short and waits for nobody else, in this one. Who is told something waits for it: the rest of
        the work, which would keep the event loop from running, is done once that is on its way."""
        run = _at_once if is_short and not self.looks_up else partial(asyncio.get_running_loop().run_in_executor, self._thread)
        async with self._turn:
            judged: _Judged = await run(judge)
            self._say(judged.told)
            if judged.through is not None:
                return judged.through
            await asyncio.sleep(0)
            return await run(self._rest, agent)

    def _say(self, told: list[Told]) -> None:
        for agent, message in told:
            self.outgoing.tell(agent, message)
        self._look_at(self._pipeline.deadline)

    def _look_at(self, deadline: int) -> None:
        if self._looking:
            self._looking.cancel()
        delay_s = max(0.0, (deadline - time.monotonic_ns()) / 1e9)
        self._looking = asyncio.get_running_loop().call_later(delay_s, self.look) if deadline else None

    def _judged(self, records: list[Record], arrival: Arrival) -> _Judged:
        for record in records:
            self._pipeline.take(record, arrival.wall_offset, arrival.agent)
        told = self._pipeline.orders()
        newest = max((getattr(record, "time", 0) for record in records), default=0)
        self._clocks[arrival.agent] = self._clock(arrival.boot, arrival.wall_offset, newest)
        return _Judged(told, None if told else self._rest(arrival.agent))

    def _rest(self, agent: str) -> _Through:
        marks, unmarked = self._pipeline.marks()
        return _Through(self._taken(agent), marks, unmarked)

    def _again(self) -> _Judged:
        told, rows = list[Told](), list[Any]()
        for agent in self._clocks:
            told += self._pipeline.look_again(agent)
            rows += self._taken(agent)
        return _Judged(told, _Through(rows, [], ()))

    def _taken(self, agent: str) -> list[Any]:
        rows = [replace(row, clock=self._clocks[agent]) for row in self._rows]
        self._rows.clear()
        return rows


async def _at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)
