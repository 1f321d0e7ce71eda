"""The outboxes of all collectors of one database, asked as one. Each tells people of what it judged itself.

An alert is made by whoever judged; what was judged again after a collector died may be in two outboxes, under one id, and counts with both.
A row's `deliveries` say whose they are (`collector`). Its `cursor` is of the whole answer: how far each outbox was read, as a text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from chaperone.collector.alone import ALERTS
from chaperone.collector.enforce.questions import the_one
from chaperone.collector.parameters import object_in
from chaperone.collector.serve.peers import PATIENCE_S, Peers
from chaperone.collector.serve.query import Ask, lacks

TEST_S = 60.0  # for receivers that are slow to answer
LIMIT = 1000  # alerts, where none is given
Document = dict[str, Any]
Rows = list[Document]


@dataclass(frozen=True, slots=True)
class Outboxes:
    """`own`: answers about ours."""

    peers: Peers
    own: Ask

    async def ask(self, name: str, parameters: str) -> Rows:
        """The questions of enforce/alerter.py; those of ALERTS are everybody's. ValueError."""
        if name not in ALERTS or not self.peers.others:
            return await self.own(name, parameters)
        given = {key: value for key, value in object_in(parameters).items() if value is not None}
        if name == "alerts.list":
            return await self._list(given)
        if name == "alerts.ack" and given.get("all") is not True:
            return await self._ack(given)
        found = await self._all(name, dict.fromkeys(self.peers.all, given))
        return list(_merged(found)) if name == "alerts.ack" else [row | {"collector": who} for who, row in _rows(found)]

    async def _list(self, given: Document) -> Rows:
        """Those alike are counted by each by itself."""
        read = _cursors(given["after"]) if "after" in given else {}
        found = await self._all(
            "alerts.list", {who: given | ({"after": read.get(who, 0)} if "after" in given else {}) for who in self.peers.all}
        )
        for who, row in _rows(found):
            read[who] = max(read.get(who, 0), row["cursor"])
        order = sorted(_merged(found), key=itemgetter("last" if "after" in given else "first"))
        shown = order if "after" in given else order[-given.get("limit", LIMIT) :]
        return [row | {"cursor": json.dumps(read)} for row in shown]

    async def _ack(self, given: Document) -> Rows:
        """By those that have them."""
        ids = given.get("ids")
        if not isinstance(ids, list) or not ids:
            return await self.own("alerts.ack", json.dumps(given))  # which says what is wrong with it
        have: dict[str, list[str]] = {}
        for wanted in ids:
            found = await self._all("alerts.list", {who: {"id": wanted, "limit": 2} for who in self.peers.all})
            id_ = the_one({row["id"] for _, row in _rows(found)}, wanted)
            for who, _ in _rows(found):
                have.setdefault(who, []).append(id_)
        return list(_merged(await self._all("alerts.ack", {who: {"ids": own} for who, own in have.items()})))

    async def _all(self, name: str, given: Mapping[str, Document]) -> Mapping[str, Rows]:
        """What each that is given something answers, by address. We come first: what is wrong with the question, nobody else is asked."""
        own = self.peers.own
        found: dict[str, Rows] = {own: await self.own(name, json.dumps(given[own]))} if own in given else {}
        patience_s = TEST_S if name == "alerts.test" else PATIENCE_S
        heard = await self.peers.ask_each(name, {who: its for who, its in given.items() if who != own}, patience_s)
        lacks(heard.missing)
        return {**found, **heard.rows}


def _cursors(after: Any) -> dict[str, int]:
    """How far each was read. ValueError."""
    try:
        found = json.loads(after) if isinstance(after, str) else {}
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("after must be a cursor of an answer before")
    return found


def _rows(found: Mapping[str, Rows]) -> Iterator[tuple[str, Document]]:
    yield from ((who, row) for who, rows in found.items() for row in rows)


def _merged(found: Mapping[str, Rows]) -> Iterator[Document]:
    """One row an alert."""
    parts: dict[str, Rows] = {}
    for who, row in _rows(found):
        deliveries = [one | {"collector": who} for one in row["deliveries"]]
        parts.setdefault(row["id"], []).append(row | {"deliveries": deliveries})
    return map(_one, parts.values())


def _one(parts: Rows) -> Document:
    """Acknowledged where each has it so."""
    begun, last = min(parts, key=itemgetter("first")), max(parts, key=itemgetter("last"))
    acked = [part["acked"] for part in parts]
    return begun | {
        "count": sum(part["count"] for part in parts),
        "last": last["last"],
        "latest": last["latest"],
        "acked": max(acked) if all(acked) else None,
        "deliveries": [one for part in parts for one in part["deliveries"]],
    }
