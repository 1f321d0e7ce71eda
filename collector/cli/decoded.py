"""One capture file, decoded: its calls in order of time, what its streams brought, and everything else that was seen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaperone.collector.ingest.captures import read_capture
from chaperone.collector.pipeline import Gate, Pipeline
from chaperone.collector.store.rows import Kind, Row

Document = dict[str, Any]
OTHERS = (Kind.EXCHANGE, Kind.LOSS, Kind.GAP, Kind.NOTE, Kind.LEAK)


@dataclass(frozen=True, slots=True)
class Decoded:
    """`others`: (kind, document) of non-Kubernetes exchanges, losses, gaps and notes."""

    name: str
    calls: list[Document]
    others: list[tuple[str, Document]]
    pieces: dict[str, list[Document]]

    def pieces_of(self, call: Document) -> list[Document]:
        """What a streaming call brought, in order."""
        return self.pieces.get(call["id"], [])


@dataclass(slots=True)
class Latest:
    """A sink that keeps the latest version of every record."""

    rows: dict[tuple[Kind, str], Row] = field(default_factory=dict)

    def append(self, row: Row, /) -> None:
        """Take one row; an older version never replaces a newer one."""
        known = self.rows.get((row.kind, row.id))
        if known is None or (known.phase, known.position) <= (row.phase, row.position):
            self.rows[row.kind, row.id] = row


def decoded(path: Path, new_gate: Callable[[], Gate]) -> Decoded:
    """Decode a capture. CaptureError and OSError are the caller's."""
    capture, latest = read_capture(path), Latest()
    pipeline = Pipeline(new_gate, latest)
    for record in capture.records:
        pipeline.take(record, capture.wall_offset)
    rows = sorted(latest.rows.values(), key=lambda row: (row.time, row.position))
    calls = [row.document for row in rows if row.kind is Kind.CALL]
    pieces: dict[str, list[Document]] = {}
    for row in rows:
        if row.kind is Kind.PIECE:
            pieces.setdefault(row.call, []).append(row.document)
    others = [(str(row.kind), row.document) for row in rows if row.kind in OTHERS]
    return Decoded(path.name, sorted(calls, key=lambda call: str(call["time"])), others, pieces)
