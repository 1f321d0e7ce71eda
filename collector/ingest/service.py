"""The Capture service: batches in, acks and orders out. A batch is acked only once all its rows are durable, and of each stream in
it a mark behind it (or it is over): so a later collector needs nothing of it.

An agent's batches are numbered 1, 2, 3 … A number that was taken is not taken again, whether it comes twice on one stream or
on the next one; its ack waits until the first taking is durable. A refusal ends the call with a status that says why:
INVALID_ARGUMENT (no batch), FAILED_PRECONDITION (contract), RESOURCE_EXHAUSTED (the store cannot write now; come again).
What a dead agent left is taken in its name, as if it said it itself; numbers that were damaged on disk are jumped over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import grpc

from chaperone.collector.fault import place_of
from chaperone.collector.ingest.backlog import Backlog
from chaperone.collector.ingest.batches import records_in
from chaperone.collector.ingest.leftovers import Damages, Opener
from chaperone.collector.ingest.outgoing import Line, Outgoing
from chaperone.collector.settings import CollectorSettings, version
from chaperone.proto import capture_pb2 as pb
from chaperone.proto import capture_pb2_grpc
from chaperone.proto.records import Record
from chaperone.proto.sealed import SealError

CONTRACT = 1
SUPPORTED = (CONTRACT, CONTRACT - 1)
AGENT_LIMIT = 128  # characters of an agent's id

Durable = Awaitable[str]  # "", or why it is not durable yet


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch as it came. `records` inflates and checks it: slow, so of a large one not in the event loop. ValueError when it is none."""

    agent: str
    number: int
    wall_offset: int
    records: Callable[[], list[Record]]
    size: int = 0  # bytes of records, inflated
    boot: str = ""  # whose boot clock its times are


@dataclass(frozen=True, slots=True)
class Taken:
    """Once `durable`, all batches up to `through` need not be sent again. None: as far as the one that was taken."""

    durable: Durable
    through: int | None = None


@dataclass(frozen=True, slots=True)
class Greeting:
    """An agent calls, or what it left is passed on. `call`: how often it has called, 0 if it does not count; `step`: how far from the
    call before this is at least."""

    agent: str
    boot: str
    call: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """The lowest batch that is not durable; whether another collector had the agent meanwhile."""

    next_batch: int
    is_taken_over: bool = False


class Intake(Protocol):
    """What takes batches and makes them durable: pipeline and store, put together by __main__."""

    @property
    def outgoing(self) -> Outgoing:
        """What agents are told besides acks."""
        ...

    def refusal(self) -> str:
        """Why nothing can be taken now; "" when it can."""
        ...

    async def greet(self, greeting: Greeting) -> Standing:
        """How far an agent is. It is ours from now on."""
        ...

    async def take(self, arrival: Arrival) -> Taken:
        """Take a batch's records, in order of the calls. On a ValueError nothing was taken but a note of it."""
        ...

    def settled(self, agent: str) -> Taken:
        """All that was taken so far of an agent."""
        ...


class RefusedError(Exception):
    """The call ends with a status and a sentence."""

    def __init__(self, status: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(slots=True)
class _Agent:
    """How far one agent is, over all its calls. `boot`: of its kernel; an agent that doesn't say is a boot of its own."""

    name: str
    boot: str = ""
    node: str = ""
    taken: int = 0  # the highest number the pipeline has had
    call: int = 0  # how often it has called, as it says
    heard: object = None  # the call in which it was last asked how far it is
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A batch that was taken. `of`: whose leftover it was; "" for the agent's own."""

    number: int
    taken: Taken
    of: str = ""


_Item = _UnderWay | pb.Downward | Exception | None
_UnderWays = Backlog[_Item]


class CaptureService(capture_pb2_grpc.CaptureServicer):
    """Serves agents. `activity` is entered while one is connected; `opener` opens what dead agents left."""

    def __init__(
        self, intake: Intake, settings: CollectorSettings, activity: AbstractContextManager[Any], opener: Opener | None = None
    ) -> None:
        self._intake, self._settings, self._activity, self._opener = intake, settings, activity, opener or Opener()
        self._agents: dict[str, _Agent] = {}
        self._damages = Damages()
        self._selection = pb.Selection()
        self.greet: Callable[[str, str], Iterable[pb.Downward]] = lambda _agent, _node: ()  # what one that calls is told at once

    def select(self, selection: pb.Selection) -> None:
        """Which pods are governed from now on; all agents are told."""
        self._selection = selection
        self._intake.outgoing.tell_all(pb.Downward(settings=pb.Settings(selection=selection)))

    def nodes(self) -> frozenset[str]:
        """Whose agents call now."""
        return frozenset(self.calling().values())

    def calling(self) -> Mapping[str, str]:
        """The agents that call now, with their nodes."""
        return {agent: self._agents[agent].node for agent in self._intake.outgoing.agents()}

    async def Stream(self, upward: AsyncIterator[pb.Upward], context: Any) -> AsyncIterator[pb.Downward]:  # noqa: N802 - named by gRPC
        """One agent's call: Hello, Welcome, then acks as batches become durable."""
        with self._activity:
            try:
                agent = await self._greeted(upward)
                yield pb.Downward(welcome=await self._welcome(agent, agent.call))
                async for answer in self._answers(agent, upward):
                    yield answer
            except RefusedError as refused:
                await context.abort(refused.status, refused.reason)
            except Exception as error:  # noqa: BLE001 - grpc would send and log its text, which might quote payload
                await context.abort(grpc.StatusCode.INTERNAL, f"a fault in the collector: {place_of(error)}")

    async def _greeted(self, upward: AsyncIterator[pb.Upward]) -> _Agent:
        first = await anext(upward, None)
        if first is None or first.WhichOneof("message") != "hello":
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "the first message is not Hello")
        hello = first.hello
        if hello.contract not in SUPPORTED:
            theirs, ours = f"agent {hello.version or '?'} speaks contract {hello.contract}", f"{SUPPORTED[0]} and {SUPPORTED[1]}"
            reason = f"{theirs}, this collector {ours}: upgrade the older of the two"
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, reason)
        agent = self._agent(hello)
        agent.node, agent.call = hello.node, hello.call
        return agent

    def _agent(self, said: pb.Hello | pb.Leftover) -> _Agent:
        if not 0 < len(said.agent) <= AGENT_LIMIT or len(said.boot_id) > AGENT_LIMIT:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"ids of agents and boots have 1 to {AGENT_LIMIT} characters")
        return self._agents.setdefault(said.agent, _Agent(said.agent, said.boot_id or said.agent))

    async def _welcome(self, agent: _Agent, call: int, step: int = 1) -> pb.Welcome:
        async with agent.turn:
            standing = await self._intake.greet(Greeting(agent.name, agent.boot, call, step))
            durable = standing.next_batch
            agent.taken = durable - 1 if standing.is_taken_over else max(agent.taken, durable - 1)
        return pb.Welcome(
            contract=CONTRACT, version=version(), next_batch=durable, collector_key=self._opener.public, selection=self._selection
        )

    async def _answers(self, agent: _Agent, upward: AsyncIterator[pb.Upward]) -> AsyncIterator[pb.Downward]:
        """Orders, and acks as batches become durable. Batches are taken meanwhile, a bounded number ahead."""
        under_way: _UnderWays = Backlog(self._settings.batches_under_way, self._settings.bytes_under_way)
        with self._intake.outgoing.line(agent.name) as line:
            for message in self.greet(agent.name, agent.node):
                line.tell(message)
            tasks = asyncio.create_task(self._read(agent, upward, under_way)), asyncio.create_task(_acks(under_way, line))
            try:
                while (item := await line.get()) is not None:
                    if isinstance(item, Exception):
                        raise item
                    yield item
            finally:
                for task in tasks:
                    task.cancel()

    async def _read(self, agent: _Agent, upward: AsyncIterator[pb.Upward], under_way: _UnderWays) -> None:
        try:
            async for message in upward:
                if message.WhichOneof("message") == "batch":
                    taken = await asyncio.shield(self._taken(agent, message.batch))  # before the agent is greeted anew
                    await under_way.put(_UnderWay(message.batch.number, taken), len(message.batch.records))
                elif message.WhichOneof("message") == "leftover" and (answer := await self._left(agent, message.leftover, under_way)):
                    await under_way.put(answer, len(message.leftover.frame))
        except Exception as error:  # noqa: BLE001 - raised where the call is answered, behind the acks of what came before
            await under_way.put(error)
        else:
            await under_way.put(None)

    async def _left(self, heir: _Agent, leftover: pb.Leftover, call: object) -> _UnderWay | pb.Downward | None:
        """Take a dead agent's batch, which its heir passes on in a call. None: it is damaged, which is said at the end; what
        follows will show what was in it."""
        try:
            batch = self._opener.batch(leftover)
        except SealError as error:
            return pb.Downward(leftover_refused=pb.LeftoverRefused(agent=leftover.agent, reason=str(error)))
        agent = self._agent(leftover)
        if batch is None:
            self._damages.add(agent.name, leftover.number)
            return None
        if agent.heard is not call:
            await self._welcome(agent, 0, max(1, heir.call))  # as far as it had come when another collector heard it
            agent.heard = call
        async with agent.turn:
            number = agent.taken + 1 if leftover.HasField("last") else batch.number
            if number <= agent.taken:
                return _UnderWay(number, self._intake.settled(agent.name), agent.name)
            batch.number = number
            agent.taken = number - 1
            return await self._inherited(agent, batch, leftover.HasField("last"))

    async def _inherited(self, agent: _Agent, batch: pb.Batch, is_last: bool) -> _UnderWay | None:
        """A batch that is none has left a note; the living agent, who can't read it, has no part in it."""
        try:
            return _UnderWay(batch.number, await self._next(agent, batch, is_last), agent.name)
        except RefusedError as refused:
            if refused.status is not grpc.StatusCode.INVALID_ARGUMENT:
                raise
            agent.taken = batch.number
            return None

    async def _taken(self, agent: _Agent, batch: pb.Batch) -> Taken:
        async with agent.turn:
            if batch.number <= agent.taken:
                return self._intake.settled(agent.name)
            if batch.number != agent.taken + 1:
                reason = f"batch {batch.number} follows batch {agent.taken}: numbers have no gaps"
                raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, reason)
            return await self._next(agent, batch)

    async def _next(self, agent: _Agent, batch: pb.Batch, is_last: bool = False) -> Taken:
        if reason := self._intake.refusal():
            _refuse_full(reason)
        taken = await self._take(agent, batch, is_last)
        agent.taken = batch.number
        return taken

    async def _take(self, agent: _Agent, batch: pb.Batch, is_last: bool) -> Taken:
        def records() -> list[Record]:
            found = records_in(batch, self._settings.batch_limit)
            return self._damages.told(agent.name, found) if is_last else found

        arrival = Arrival(agent.name, batch.number, batch.wall_offset_ns, records, batch.size, agent.boot)
        try:
            return await self._intake.take(arrival)
        except ValueError as error:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"batch {batch.number}: {error}") from None


async def _acks(under_way: _UnderWays, line: Line) -> None:
    """Each as its batch becomes durable; whatever ends the call ends this."""
    try:
        while isinstance(item := await under_way.first(), _UnderWay | pb.Downward):
            if answer := item if isinstance(item, pb.Downward) else await _ack(item):
                line.put(answer)
            await under_way.done()
        line.put(item)
    except RefusedError as refused:
        line.put(refused)


async def _ack(item: _UnderWay) -> pb.Downward | None:
    """Once it is durable: up to where nothing need come again; None if that is nowhere yet."""
    if reason := await item.taken.durable:
        _refuse_full(reason)
    through = item.number if item.taken.through is None else min(item.number, item.taken.through)
    return pb.Downward(ack=pb.Ack(batch=through, agent=item.of)) if through else None


def _refuse_full(reason: str) -> NoReturn:
    raise RefusedError(grpc.StatusCode.RESOURCE_EXHAUSTED, f"the collector cannot store anything now: {reason}")
