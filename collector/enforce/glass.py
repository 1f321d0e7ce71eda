"""Breaking the glass through the collector: kept, and told to the agents that call now and to those that call later; to those of other
collectors of the database, too.

Each agent says by itself that nothing is enforced on its node, whoever told it: that is alerted.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.enforce.alert import Acting, Alert, What, Who, cut
from chaperone.collector.times import rfc3339, time_ns
from chaperone.proto import capture_pb2 as pb
from chaperone.proto import glass
from chaperone.proto.records import BreakGlass

RULE, POLICY = "break-glass", "chaperone"
PATIENCE_S = 15.0
PREFIX = "all-"  # of the ids of what is said here
NODES = 1000
Document = dict[str, Any]


async def _nobody(_word: Document) -> Document:
    return {"told": [], "said": [], "missing": []}


@dataclass(frozen=True, slots=True)
class Outside:
    """`agents`: those that call, with their nodes. `keep`: durable when it returns "", else why not. `others`: has other collectors
    `take` a word: {told, said} of all of them, and `missing`, a sentence about each that does not answer."""

    agents: Callable[[], Mapping[str, str]]
    tell: Callable[[str, pb.Downward], None]
    keep: Callable[[Sequence[Mapping[str, Any]]], Awaitable[str]]
    mask: Callable[[str], str]
    others: Callable[[Document], Awaitable[Document]] = _nobody


@dataclass(slots=True)
class Glasses:
    """What is in force for nodes by a word said here. For the event loop, but `heard`."""

    outside: Outside
    _in_force: dict[str, Document] = field(default_factory=dict)
    _heard: set[tuple[str, str, bool]] = field(default_factory=set)  # agent, id, and whether it is over
    _loop: asyncio.AbstractEventLoop | None = None

    def recall(self, found: Iterable[Mapping[str, Any]]) -> None:
        """What an earlier collector was told, and goes on. Called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._in_force = {one["id"]: dict(one) for one in found if not one["node"]}

    async def say(self, word: Mapping[str, Any], who: tuple[str, str]) -> Document:
        """Break it, or end what is in force: {glass, for, nodes, why} → its document with {told, said}: nodes, and
        {missing}: sentences about collectors. ValueError."""
        nodes = [str(node) for node in word["nodes"]]
        if len(nodes) > NODES:
            raise ValueError(f"at most {NODES} nodes can be named")
        return await (self._broken(word, nodes, who) if word["glass"] else self._ended(nodes, who))

    def greet(self, _agent: str, node: str) -> list[pb.Downward]:
        """What an agent that calls is told of what it has missed."""
        now = time.time_ns()
        going_on = [one for one in self._in_force.values() if time_ns(one["until"]) > now and _concerns(one["nodes"], node)]
        return [_message(one, now) for one in going_on[-1:]]

    def heard(self, record: BreakGlass, agent: str) -> None:
        """An agent has said it. Any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._note, (agent, record.glass, bool(record.ended)))

    async def _broken(self, word: Mapping[str, Any], nodes: list[str], who: tuple[str, str]) -> Document:
        try:
            size, why = glass.seconds(word["for"]), glass.reason(word["why"])
        except glass.GlassError as error:
            raise ValueError(str(error)) from None
        now = time.time_ns()
        found: Document = {"id": PREFIX + secrets.token_hex(8), "node": "", "nodes": nodes, "time": rfc3339(now)}
        found |= {"until": rfc3339(now + size * glass.SECOND), "who": who[0], "how": who[1], "why": self.outside.mask(why)}
        await self._keep(found)
        return found | await self._everywhere(found)

    async def _ended(self, nodes: list[str], who: tuple[str, str]) -> Document:
        word = {"ended": rfc3339(time.time_ns()), "endedBy": who[0]}
        return word | await self._everywhere(word | {"nodes": nodes})

    async def _everywhere(self, word: Document) -> Document:
        """Here, and by other collectors."""
        own, others = await asyncio.gather(self.take(word), self.outside.others(word))
        return {name: sorted({*own[name], *others[name]}) for name in ("told", "said")} | {"missing": others["missing"]}

    async def take(self, word: Mapping[str, Any]) -> Document:
        """What was said here or at another collector: the document of a broken glass, or {ended, endedBy, nodes}; {told, said}."""
        nodes = list(word["nodes"])
        if "ended" in word:
            await self._end(nodes, {"ended": word["ended"], "endedBy": word["endedBy"]})
            return await self._told(nodes, pb.Downward(glass=pb.Glass(end=True)), ("", True))
        self._in_force[word["id"]] = dict(word)
        return await self._told(nodes, _message(word, time.time_ns()), (word["id"], False))

    async def _end(self, nodes: list[str], end: Document) -> None:
        ended = [one for one in self._in_force.values() if not nodes or (set(one["nodes"]) <= set(nodes) and one["nodes"])]
        for one in ended:
            await self._keep(one | end)
            del self._in_force[one["id"]]

    async def _keep(self, document: Document) -> None:
        if trouble := await self.outside.keep([document]):
            raise ValueError(f"nothing is done that can't be recorded: {trouble}")

    async def _told(self, nodes: list[str], message: pb.Downward, wanted: tuple[str, bool]) -> Document:
        """{told, said}: the nodes of agents that were told, and of these, those that said that it is so."""
        agents = {agent: node for agent, node in self.outside.agents().items() if _concerns(nodes, node)}
        self._heard.clear()
        for agent in agents:
            self.outside.tell(agent, message)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and wanted[0] and not self._all_said(agents, wanted):
            await asyncio.sleep(0.05)
        said = {node for agent, node in agents.items() if not wanted[0] or (agent, *wanted) in self._heard}
        return {"told": sorted(set(agents.values())), "said": sorted(said)}

    def _all_said(self, agents: Mapping[str, str], wanted: tuple[str, bool]) -> bool:
        return all((agent, *wanted) in self._heard for agent in agents)

    def _note(self, heard: tuple[str, str, bool]) -> None:
        self._heard.add(heard)


def alert_of(record: BreakGlass, text: tuple[str, str], time_: str) -> Alert:
    """The same id for the same word on the same node, at its begin and at its end. `text`: who and why, masked."""
    what = "policies have their effect again" if record.ended else "nothing is held, denied or masked"
    key = "\0".join((record.glass, record.node, str(bool(record.ended))))
    return Alert(
        id=hashlib.blake2b(key.encode(errors="replace"), digest_size=16, person=b"chaperone-glass").hexdigest(),
        time=time_,
        severity="info" if record.ended else "critical",
        action="alert",
        mode="observe",
        rule=RULE,
        policy=POLICY,
        mitre=(),
        message=cut(f"on node {record.node} {what}: the glass was broken by {text[0]}: {text[1]}", 2000),
        moment="end",
        what=What("node", "", "", "", name=cut(record.node)),
        who=Who(cut(text[0]), "unknown", "", "", "", "", cut(record.node)),
        process=Acting(None, "", "", ""),
        session="",
        call="",
        evidence=(("why", cut(text[1])),),
        unknown=(),
        labels={},
        replay="",
        inspect="chaperone status",
    )


def likeness(record: BreakGlass) -> str:
    """What makes alerts of several nodes one."""
    return f"{RULE} {record.glass} {bool(record.ended)}"


def _concerns(nodes: Sequence[str], node: str) -> bool:
    return not nodes or node in nodes


def _message(found: Mapping[str, Any], now: int) -> pb.Downward:
    left = max(time_ns(found["until"]) - now, 1)
    return pb.Downward(glass=pb.Glass(id=found["id"], for_ns=left, who=f"{found['who']} ({found['how']})", why=found["why"]))
