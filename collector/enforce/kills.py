"""Ending a connection, a process or a session: told to the agents, and verified by the one that has it.

Which agent that is, an agent knows itself: ids are found nowhere else. A kill is recorded before it is told, and its end when the
agent has said it; one that nobody answers says so.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Ends, Enforce, Moment
from chaperone.collector.times import rfc3339

PATIENCE_S = 15.0
ENDED = "ended"  # an outcome's result, when it was verified
PREFIX = "kill-"  # of the ids of such orders
WHY_LIMIT = 1000
Documents = Sequence[Mapping[str, Any]]


class Stage(StrEnum):
    """How far it is."""

    ASKED = "asked"
    ENDED = "ended"
    FAILED = "failed"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Kill:
    """`id`: of the order; `subject`: of what is to end. `who`, `how`: as in an approval's votes. `time`: wall-clock ns."""

    id: str
    target: Ends
    subject: str
    session: str
    who: str
    how: str
    why: str
    time: int
    stage: Stage = Stage.ASKED
    result: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON values: {id, session, time, target, subject, who, how, why, stage, result, version}."""
        names = ("id", "session", "subject", "who", "how", "why", "result")
        version = 1 if self.stage is Stage.ASKED else 2
        named = {name: getattr(self, name) for name in names}
        return named | {"time": rfc3339(self.time), "target": str(self.target), "stage": str(self.stage), "version": version}


@dataclass(frozen=True, slots=True)
class Outside:
    """`find`: the whole id and session of what an id's beginning names; ValueError. `tell` agents; how many heard it. `keep`: durable
    when it returns "", else why not."""

    find: Callable[[Ends, str], Awaitable[tuple[str, str]]]
    tell: Callable[[Kill], int]
    keep: Callable[[Documents], Awaitable[str]]
    mask: Callable[[str], str]


@dataclass(slots=True)
class Kills:
    """A pipeline.performer.Performer, for rules that kill what no order about a hold has ended. `begin` before it is used."""

    outside: Outside
    holds: Callable[[Action, str, Moment], bool] = lambda *_: False  # whether an order about a hold does it
    spares: Callable[[str, str], bool] = lambda *_: False  # whether rules end nothing of this session, or stream's (break-glass)
    _asked: dict[str, "asyncio.Future[str]"] = field(default_factory=dict)
    _under_way: set["asyncio.Task[Any]"] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Called in the event loop."""
        self._loop = asyncio.get_running_loop()

    async def kill(self, target: Ends, prefix: str, who: tuple[str, str], why: str) -> dict[str, Any]:
        """End what `prefix` names; its document, once it is known what came of it. ValueError when nothing was tried."""
        if not why.strip() or len(why) > WHY_LIMIT:
            raise ValueError(f"a reason is needed, of 1 to {WHY_LIMIT} characters")
        subject, session = await self.outside.find(target, prefix)
        id_ = PREFIX + secrets.token_hex(8)
        return (await self._ended(Kill(id_, target, subject, session, *who, self.outside.mask(why), time.time_ns()))).document()

    def heard(self, order: str, result: str) -> None:
        """An agent has said what came of an order that answers no hold. Any thread."""
        if self._loop is not None and order.startswith(PREFIX):
            self._loop.call_soon_threadsafe(self._settle, order, result)

    def carries_out(self, action: Action, stream: str, _moment: Moment) -> bool:
        """What is not held can be ended just as well."""
        return action is Action.KILL and not self.spares("", stream)

    def perform(self, judged: Judged) -> None:
        """End what rules say, once for an event: the widest of it."""
        ends = {
            verdict.ends: verdict for verdict in judged.verdicts if verdict.action is Action.KILL and verdict.effective is Enforce.ENFORCE
        }
        widest = next((ends[target] for target in (Ends.SESSION, Ends.PROCESS, Ends.CONNECTION) if target in ends), None)
        if widest is None or self._loop is None:
            return
        if widest.ends is Ends.CONNECTION and self.holds(Action.KILL, judged.stream, judged.event.moment):
            return
        session = str(judged.event.document.get("session", ""))
        if self.spares(session, judged.stream):
            return
        subjects = {Ends.SESSION: session, Ends.PROCESS: str(judged.process.get("id", "")), Ends.CONNECTION: _connection(judged)}
        why = f"rule {widest.rule} of {widest.policy}: {widest.message}"
        id_ = PREFIX + secrets.token_hex(8)
        kill = Kill(id_, widest.ends, subjects[widest.ends], session, f"rule {widest.rule}", widest.policy, why, time.time_ns())
        self._loop.call_soon_threadsafe(self._start, kill)

    def foresee(self, judged: Judged) -> None:
        """What is to end need not be whole."""
        self.perform(judged)

    def _start(self, kill: Kill) -> None:
        task = asyncio.ensure_future(self._ended(kill))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ended(self, kill: Kill) -> Kill:
        if trouble := await self.outside.keep([kill.document()]):
            raise ValueError(f"nothing is ended that can't be recorded: {trouble}")
        answer = self._asked[kill.id] = asyncio.get_running_loop().create_future()
        try:
            done = await self._answered(kill, answer)
        finally:
            del self._asked[kill.id]
        await self.outside.keep([done.document()])
        return done

    async def _answered(self, kill: Kill, answer: "asyncio.Future[str]") -> Kill:
        if not self.outside.tell(kill):
            return replace(kill, stage=Stage.UNANSWERED, result="no agent is connected")
        try:
            async with asyncio.timeout(PATIENCE_S):
                result = await answer
        except TimeoutError:
            return replace(kill, stage=Stage.UNANSWERED, result=f"no agent that has it answered within {PATIENCE_S:g} s")
        return replace(kill, stage=Stage.ENDED if result == ENDED else Stage.FAILED, result=result)

    def _settle(self, order: str, result: str) -> None:
        answer = self._asked.get(order)
        if answer is not None and not answer.done():
            answer.set_result(result)


def _connection(judged: Judged) -> str:
    """The stream, or of what is no stream the connection itself."""
    return judged.stream or judged.event.key
