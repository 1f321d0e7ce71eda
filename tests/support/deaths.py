"""A collector that dies between two batches, without processes: what it stored, and what the next one makes of the rest."""

from typing import Any

from chaperone.collector.ingest.ledger import Ledger
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.store.recall import KNOWN, OpenSession, Past
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Record

OFFSET = 1_700_000_000_000_000_000
Table = dict[tuple[Any, ...], dict[str, Any]]


class Life:
    """One collector after another over the same store. `needed`: the lowest batch that may have to come again."""

    def __init__(self) -> None:
        self.table: Table = {}
        self.marks: dict[str, bytes] = {}
        self.needed = 1
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.rows: list[Row] = []
        self.pipeline = Pipeline(lambda: Masker(b"k" * 32), self.rows)
        self.ledger = Ledger()
        self.pipeline.recall(self._past())

    def take(self, number: int, records: list[Record]) -> None:
        """A batch, durable."""
        for record in records:
            self.pipeline.take(record, OFFSET)
        marks, unmarked = self.pipeline.marks()
        self.needed = self.ledger.take(number, 1, [mark.stream for mark in marks], unmarked)
        for mark in marks:
            if mark.state is not None:
                self.marks[mark.stream] = mark.state
            else:
                self.marks.pop(mark.stream, None)
        for row in self.rows:
            self.table[row.kind, row.session, row.id, row.phase, row.position] = row.document
        self.rows.clear()

    def _past(self) -> Past:
        merged: dict[tuple[Kind, str], dict[str, Any]] = {}
        for (kind, _, id_, *_), document in self.table.items():
            merged.setdefault((kind, id_), {}).update(document)
        of = {kind: [document for (found, _), document in merged.items() if found is kind] for kind in Kind}
        streams = [stream for stream in of[Kind.STREAM] if "ended" not in stream]
        sessions = [OpenSession(session, of[Kind.PROCESS], streams) for session in of[Kind.SESSION]]
        over = frozenset(StreamId(stream["id"]) for stream in of[Kind.STREAM] if "ended" in stream)
        known = {name: state for name, state in self.marks.items() if name.startswith(KNOWN)}
        return Past(sessions, self.marks, over, known)


def lived(batches: list[list[Record]], deaths: tuple[int, ...] = (), unacked: int = 0) -> Table:
    """What is stored of these batches when the collector dies behind the given ones; `unacked` of those stored come again as well."""
    life = Life()
    for number, records in enumerate(batches, 1):
        life.take(number, records)
        if number in deaths:
            again = max(1, min(life.needed, number + 1 - unacked))
            life.begin()
            for before in range(again, number + 1):
                life.take(before, batches[before - 1])
    return life.table
