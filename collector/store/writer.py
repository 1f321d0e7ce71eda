"""Rows → the tables, in one durable go. Nothing counts as stored before `flush` has returned."""

from typing import Any

from chaperone.collector.store.arrivals import Arrivals
from chaperone.collector.store.bodies import StoredBody, set_aside
from chaperone.collector.store.clock import Offsets
from chaperone.collector.store.engine import Engine, encoded
from chaperone.collector.store.marks import Marks, StreamMark
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339

_FILTERED = ("verb", "resource", "subresource", "namespace", "name", "user")
_POD = ("namespace", "name")


class Writer:
    """Gathers rows and what makes them durable. Used by one thread."""

    def __init__(self, engine: Engine, marks: Marks) -> None:
        self._engine, self._table, self._offsets = engine, marks, Offsets(engine)
        self._arrivals = Arrivals(engine)
        self._rows: dict[tuple[object, ...], Row] = {}
        self._agents: dict[tuple[str, int], int] = {}
        self._marks: dict[str, tuple[StreamMark, int]] = {}

    def append(self, row: Row) -> None:
        """Take a row. Of a call's versions in one flush the latest says it all, so it takes the place of the earlier ones."""
        is_exchange = row.kind in (Kind.CALL, Kind.EXCHANGE)
        self._rows[(row.session, row.id) if is_exchange else (row.kind, row.session, row.id, row.phase, row.position)] = row

    def mark(self, mark: StreamMark, turn: int = 0) -> None:
        """The state of a stream behind all rows taken so far; it takes the place of the one before. `turn`: its agent's."""
        self._marks[mark.stream] = mark, turn

    def advance(self, agent: str, next_batch: int, turn: int = 0) -> None:
        """All that `agent` sent below `next_batch` is among the rows taken so far."""
        self._agents[agent, turn] = max(next_batch, self._agents.get((agent, turn), 0))

    def flush(self) -> None:
        """Write all that was taken: bodies, clocks, records, marks, then how far each agent is. On an error all of it stays to be
        written, and what may have been written lands on itself."""
        first = self._arrivals.first()
        lines, bodies = self._lines(first)
        self._engine.insert("bodies", [{"digest": b.digest, "encoding": b.encoding, "data": b.data} for b in self._new(bodies)])
        self._offsets.write(self._rows.values())
        self._engine.insert("records", lines)
        self._table.write(self._marks.values())
        far = [{"agent": agent, "turn": turn, "next_batch": number} for (agent, turn), number in self._agents.items()]
        self._engine.insert("turns", far)
        self._arrivals.took(first, len(lines))
        self._rows.clear()
        self._marks.clear()
        self._agents.clear()

    def _lines(self, first: int) -> tuple[list[dict[str, Any]], dict[str, StoredBody]]:
        lines: list[dict[str, Any]] = []
        bodies: dict[str, StoredBody] = {}
        for arrived, row in enumerate(self._rows.values(), first):
            document, aside = set_aside(row.document)
            bodies.update((body.digest, body) for body in aside)
            lines.append(_line(row, document, arrived) | {"bodies": [body.digest for body in aside]})
        return lines, bodies

    def _new(self, bodies: dict[str, StoredBody]) -> list[StoredBody]:
        """Those the store does not have yet."""
        if not bodies:
            return []
        known = self._engine.rows("SELECT DISTINCT digest FROM bodies WHERE digest IN {digests:Array(String)}", {"digests": list(bodies)})
        return [body for digest, body in bodies.items() if digest not in {row["digest"] for row in known}]


def _line(row: Row, document: dict[str, Any], arrived: int) -> dict[str, Any]:
    size, code = document.get("bytes") or {}, document.get("code")
    return {
        "kind": row.kind,
        "session": row.session,
        "id": row.id,
        "phase": row.phase,
        "position": row.position,
        "arrived": arrived,
        "time": rfc3339(row.time),
        "boot": row.clock.boot,
        "boot_time": row.boot_time,
        "ended": document.get("ended"),
        "stream": row.stream,
        "process": row.process,
        "call": row.call,
        **_filtered(row.kind, document),
        "api_group": document.get("apiGroup", ""),
        "user_agent": document.get("userAgent", ""),
        "code": code if code is not None and 0 <= code < 2**16 else None,
        "complete": document.get("complete", True),
        "bytes_out": size.get("out", 0),
        "bytes_in": size.get("in", 0),
        "document": encoded(document).decode(),
    }


def _filtered(kind: Kind, document: dict[str, Any]) -> dict[str, Any]:
    """Columns that questions ask for: of a call its object, of a session its pod."""
    if kind is Kind.SESSION:
        pod = document.get("lookedUp") or {}
        return {name: pod.get(name, "") for name in _POD}
    return {name: document[name] for name in _FILTERED} if kind is Kind.CALL else {}
