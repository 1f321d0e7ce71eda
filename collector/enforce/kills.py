"""Ending a connection, a process or a session: told to the agents, and verified by the one that has it.

Which agent that is, an agent knows itself: ids are found nowhere else. What people end is told to the agents of other collectors of the
database, too: it may be any of theirs. A kill is recorded before it is told, and its end when the
agent has said it; one that nobody answers says so.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Ends, Enforce, Moment
from chaperone.collector.times import rfc3339, time_ns

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


def kill_from(found: Mapping[str, Any]) -> Kill:
    """One that is asked for, from its document."""
    id_, subject, session, who, how, why = (str(found[name]) for name in ("id", "subject", "session", "who", "how", "why"))
    return Kill(id_, Ends(found["target"]), subject, session, who, how, why, time_ns(found["time"]))


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a kill at one or more collectors. `result`: "" unless an agent answered; `told`: how many heard; `missing`: a sentence
    about each collector that did not answer."""

    result: str = ""
    told: int = 0
    missing: tuple[str, ...] = ()


Asked = Coroutine[Any, Any, Said]


@dataclass(frozen=True, slots=True)
class Outside:
    """`find`: the whole id and session of what an id's beginning names; ValueError. `tell` agents; how many heard it. `keep`: durable
    when it returns "", else why not. `others`: what each other collector is asked."""

    find: Callable[[Ends, str], Awaitable[tuple[str, str]]]
    tell: Callable[[Kill], int]
    keep: Callable[[Documents], Awaitable[str]]
    mask: Callable[[str], str]
    others: Callable[[Kill], Iterable[Asked]] = lambda _kill: ()


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
        kill = Kill(id_, target, subject, session, *who, self.outside.mask(why), time.time_ns())
        return (await self._ended(kill, self.outside.others)).document()

    async def tell(self, kill: Kill) -> Said:
        """To our agents; what the one says that has it. Nothing is recorded: another collector may have."""
        answer = self._asked[kill.id] = asyncio.get_running_loop().create_future()
        try:
            told = self.outside.tell(kill)
            async with asyncio.timeout(PATIENCE_S):
                return Said(await answer if told else "", told)
        except TimeoutError:
            return Said("", told)
        finally:
            del self._asked[kill.id]

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

    async def _ended(self, kill: Kill, others: Callable[[Kill], Iterable[Asked]] = lambda _kill: ()) -> Kill:
        if trouble := await self.outside.keep([kill.document()]):
            raise ValueError(f"nothing is ended that can't be recorded: {trouble}")
        said = await _first([self.tell(kill), *others(kill)])
        done = replace(kill, stage=_stage(said), result=said.result or _silence(said))
        await self.outside.keep([done.document()])
        return done

    def _settle(self, order: str, result: str) -> None:
        answer = self._asked.get(order)
        if answer is not None and not answer.done():
            answer.set_result(result)


async def _first(asked: Iterable[Asked]) -> Said:
    """The first with a result, or all together; the others are given up."""
    tasks = [asyncio.ensure_future(each) for each in asked]
    said = Said()
    try:
        for each in asyncio.as_completed(tasks):
            found = await each
            if found.result:
                return found
            said = Said("", said.told + found.told, said.missing + found.missing)
    finally:
        for task in tasks:
            task.cancel()
    return said


def _stage(said: Said) -> Stage:
    if not said.result:
        return Stage.UNANSWERED
    return Stage.ENDED if said.result == ENDED else Stage.FAILED


def _silence(said: Said) -> str:
    text = f"no agent that has it answered within {PATIENCE_S:g} s" if said.told else "no agent is connected"
    return "; ".join([text, *sorted(said.missing)])


def _connection(judged: Judged) -> str:
    """The stream, or of what is no stream the connection itself."""
    return judged.stream or judged.event.key
