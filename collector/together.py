"""Collectors of one database answer as one: what each alone knows is asked of all, and laid together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.collector.alone import Alone
from chaperone.collector.pipeline.effective import Effective
from chaperone.collector.serve.peers import Peers
from chaperone.collector.survey import Nodes

Document = dict[str, Any]
Rows = list[Document]


@dataclass(frozen=True, slots=True)
class Together:
    """`alone`: what we know ourselves."""

    peers: Peers
    alone: Alone

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


def _seen(rows: Iterable[Document]) -> Mapping[str, Document]:
    return {row["session"]: row for row in rows if row["effective"] != Effective.NOTHING}


def _better(own: Document, other: Document | None) -> Document:
    return other if other and own["effective"] == Effective.NOTHING else own
