"""Collectors of one database answer as one: what each alone knows is asked of all, and laid together; words go to whoever can do them.

Who people are, and whether they may, is asked where they call, and the access recorded there, in the store that all share; what they
say is told on in their name. Their word counts, or not, where the request waits.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.collector.alone import Alone
from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.enforce.approvals.votes import VoteError
from chaperone.collector.enforce.kills import Asked, Kill, Said
from chaperone.collector.pipeline.effective import Effective
from chaperone.collector.serve.peers import Peers, SilentError
from chaperone.collector.survey import Nodes

DECIDING_S = 20.0  # agents have 15 to answer
Document = dict[str, Any]
Rows = list[Document]


@dataclass(frozen=True, slots=True)
class Together:
    """`alone`: what we know ourselves. `is_shared`: others write to the same store, whether or not we ask them. A
    pipeline.people.Decides."""

    peers: Peers
    alone: Alone
    is_shared: bool = False

    async def nodes(self) -> Nodes:
        """Whose agents call any of us."""
        heard = await self.peers.ask("live", {})
        found = [self.alone.live(), *(row for rows in heard.rows.values() for row in rows)]
        return Nodes(frozenset(node for row in found for node in row["nodes"]), heard.missing, self.peers.is_first(heard))

    async def status(self) -> Document:
        """{collectors, missing}: [{collector, nodes, version, pid, uptime_s, refusal}], and a sentence about each that does not answer."""
        heard = await self.peers.ask("live", {})
        rows = {self.peers.own: [self.alone.live()], **heard.rows}
        found = [{"collector": address} | row for address in sorted(rows) for row in rows[address]]
        return {"collectors": found, "missing": list(heard.missing)}

    async def workloads(self, sessions: Rows) -> Rows:
        """Each as the collector sees it that hears its agent; as we see it if none does."""
        ids = [str(one["session"]) for one in sessions]
        heard = await self.peers.ask("workloads", {"sessions": ids})
        elsewhere = _seen(row for rows in heard.rows.values() for row in rows)
        own = {id_: self.alone.modes(id_) for id_ in ids}
        return [one | _better(own[one["session"]], elsewhere.get(one["session"])) for one in sessions]

    async def decide(self, prefix: str, person: Person, approves: bool, why: str) -> Document:
        """By the collector that the agent of the request's node calls."""
        if not self.is_shared:
            return await self.alone.office.decide(prefix, person, approves, why)
        owner, id_ = await self._owner(prefix)
        if owner == self.peers.own:
            return await self.alone.office.decide(id_, person, approves, why)
        named = {"name": person.name, "groups": sorted(person.groups), "how": f"{person.how}, by collector {self.peers.own}"}
        try:
            word = {"approval": id_, "approve": approves, "why": why, "person": named}
            [found] = await self.peers.tell(owner, "approvals.decide", word, DECIDING_S)
        except SilentError as error:
            raise ValueError(f"{error}; chaperone approvals show says how it stands") from None
        return found

    async def _owner(self, prefix: str) -> tuple[str, str]:
        """A collector, and the whole id. ValueError when there is none, or no one."""
        heard = await self.peers.ask("approvals.here", {"approval": prefix})
        rows = {self.peers.own: self.alone.here(prefix), **heard.rows}
        found = [(address, str(row["id"])) for address in rows for row in rows[address]]
        begins = f"approval's id begins with {prefix[:40]!r}"
        if len({id_ for _, id_ in found}) > 1:
            raise VoteError(f"more than one {begins}")
        if len(found) > 1:
            raise VoteError("the agent of its node is just changing from one collector to another: try again")
        if not found:
            raise VoteError("; ".join([f"no {begins}, of a node whose agent calls a collector now", *heard.missing]))
        return found[0]


def kills_of_others(peers: Peers) -> Callable[[Kill], list[Asked]]:
    """What other collectors are asked when something is to end."""

    async def told(address: str, kill: Kill) -> Said:
        try:
            [found] = await peers.tell(address, "kill", kill.document(), DECIDING_S)
        except (SilentError, ValueError) as error:
            return Said(missing=(str(error),))
        return Said(found["result"], found["told"])

    return lambda kill: [told(address, kill) for address in peers.others]


def glass_of_others(peers: Peers) -> Callable[[Document], Awaitable[Document]]:
    """What they are told when the glass is broken, or whole again."""

    async def told(word: Document) -> Document:
        heard = await peers.ask("glass", word, DECIDING_S)
        found = [row for rows in heard.rows.values() for row in rows]
        return {name: [node for row in found for node in row[name]] for name in ("told", "said")} | {"missing": list(heard.missing)}

    return told


def _seen(rows: Iterable[Document]) -> Mapping[str, Document]:
    return {row["session"]: row for row in rows if row["effective"] != Effective.NOTHING}


def _better(own: Document, other: Document | None) -> Document:
    return other if other and own["effective"] == Effective.NOTHING else own
