"""The whole pure core as one thing: bytes of a stream in, calls out; and what must stay true however the bytes come.

`told` says what a stream's reports amount to: of each call its last report, and its pieces with neighbouring text joined.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any, Self

import msgpack
from support.wire_streams import CLOSED, Chunk

from chaperone.collector.kube.call import Call, NotKubernetes, Piece
from chaperone.collector.kube.calls import Calls
from chaperone.collector.mask.masker import Masker
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.events import Event, Unreadable
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.proto.records import Direction

Report = Call | NotKubernetes
TEXTS = frozenset({"stdin", "stdout", "stderr", "log", "data", "unknown"})
MASKER = Masker(b"k" * 32)


class Core:
    """Readers, exchanges and calls of one stream."""

    def __init__(self) -> None:
        self.reader, self.exchanges, self.calls = StreamReader(), Exchanges(), Calls()
        self.unreadable: dict[str, None] = {}  # reasons that were given for bytes that were not read

    def feed(self, chunk: Chunk) -> list[Report]:
        return self._took(self.reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time))

    def lose(self, chunk: Chunk) -> list[Report]:
        return self._took(self.reader.lose(chunk.direction, len(chunk.data), chunk.time, "ring full"))

    def close(self, time: int = CLOSED) -> list[Report]:
        return self._took(self.reader.close(time)) + self._calls(self.exchanges.close(time))

    def mark(self) -> bytes | None:
        """All three states as they would be stored; None where one of them cannot be."""
        marks = [self.reader.mark(), self.exchanges.mark(), self.calls.mark()]
        return None if None in marks else msgpack.packb(marks)

    @classmethod
    def restore(cls, kept: bytes) -> tuple[Self, list[int]]:
        """A core that goes on, and from which positions."""
        core, (reader, exchanges, calls) = cls(), msgpack.unpackb(kept, strict_map_key=False)
        core.reader, core.exchanges, core.calls = StreamReader.restore(reader), Exchanges.restore(exchanges), Calls.restore(calls)
        return core, list(reader["positions"])

    def _took(self, events: list[Event]) -> list[Report]:
        self.unreadable |= dict.fromkeys(event.reason for event in events if isinstance(event, Unreadable))
        return self._calls(self.exchanges.add(events))

    def _calls(self, exchanges: Iterable[Exchange]) -> list[Report]:
        found = [self.calls.take(exchange) for exchange in exchanges]
        return [report for report in found if report is not None]


def read(fed: Iterable[Chunk], core: Core | None = None) -> list[Report]:
    """Every report of a stream fed in this order and closed."""
    core = core or Core()
    return [report for chunk in fed for report in core.feed(chunk)] + core.close()


@dataclass(frozen=True)
class Told:
    """One call: as it was at its end, and all it streamed."""

    last: Report
    pieces: tuple[Piece, ...]


def told(reports: Iterable[Report]) -> dict[int, Told]:
    """By position; a call that has not ended is not there."""
    ends: dict[int, Report] = {}
    pieces: dict[int, list[Piece]] = {}
    for report in reports:
        if isinstance(report, Call):
            pieces.setdefault(report.position, []).extend(report.pieces)
        if report.phase is Phase.END:
            ends[report.position] = replace(report, pieces=()) if isinstance(report, Call) else report
    return {position: Told(end, _joined(pieces.get(position, []))) for position, end in ends.items()}


def masked(reports: Iterable[Report]) -> None:
    """Nothing that the core says may make the masker raise."""
    for report in reports:
        MASKER.call(report) if isinstance(report, Call) else MASKER.exchange(report)


def values(one: Told) -> tuple[object, ...]:
    """What was said between client and server, without when and where."""
    call = one.last
    if not isinstance(call, Call):
        return (call.method, call.path, call.authority, call.code)
    bodies = [(body.form, body.data, body.kind, body.size) if body else None for body in (call.request_body, call.response_body)]
    heads = (call.method, call.request_uri, call.authority, call.info, call.user, call.user_agent, call.code, call.audit_id)
    return (*heads, call.request_headers, call.response_headers, *bodies, tuple(piece_value(piece) for piece in one.pieces))


def piece_value(piece: Piece) -> tuple[str, str, bytes]:
    return piece.channel, piece.direction, piece.body.data


def is_whole(one: Told) -> bool:
    return one.last.complete and not one.last.gaps


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Text that was cut by reads only, as one piece; the two directions apart, since their order is the reads' too."""
    ordered = sorted(pieces, key=lambda piece: piece.direction)
    runs = groupby(ordered, _run)
    return tuple(piece for _, run in runs for piece in _text(list(run)))


def _run(piece: Piece) -> Any:
    return (piece.channel, piece.direction) if _is_text(piece) else object()


def _is_text(piece: Piece) -> bool:
    return piece.channel in TEXTS or (piece.channel.startswith("port/") and not piece.channel.endswith("/error"))


def _text(run: list[Piece]) -> list[Piece]:
    if not _is_text(run[0]):
        return run
    data = b"".join(piece.body.data for piece in run)
    body = replace(run[0].body, data=data, size=len(data), wire_size=sum(piece.body.wire_size for piece in run))
    return [replace(run[0], time=run[-1].time, body=body)]


def sides(fed: Iterable[Chunk]) -> dict[Direction, list[Chunk]]:
    """The chunks of each direction."""
    return {direction: [chunk for chunk in fed if chunk.direction is direction] for direction in Direction}


def recut(fed: Iterable[Chunk], cuts: Iterable[int]) -> list[Chunk]:
    """Cut further at `cuts`: offsets into all bytes, as if the chunks lay one behind the other. Times stay."""
    wanted, passed, result = sorted(set(cuts)), 0, list[Chunk]()
    for chunk in fed:
        size = len(chunk.data)
        edges = [0, *(cut - passed for cut in wanted if passed < cut < passed + size), size]
        result += [replace(chunk, position=chunk.position + a, data=chunk.data[a:b]) for a, b in pairwise(edges) if b > a]
        passed += size
    return result
