"""Plaintext from the kernel → records of streams: ids, the first and last word of each, and no gap unsaid.

The kernel side states its losses; a position that jumps without such a statement is stated here, cause unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chaperone.agent.trace.values import Tls, TlsBytes, TlsClosed, TlsLost
from chaperone.agent.workload.lineage import Lineage
from chaperone.proto.ids import StreamId, stream_id
from chaperone.proto.records import Cause, Chunk, Direction, Loss, Record, StreamClosed, StreamOpened


@dataclass(frozen=True, slots=True)
class Border:
    """A direction is known to have come this far; `cause`: why what has not been seen before it is missing."""

    direction: Direction
    position: int
    time: int
    cause: Cause = Cause.UNKNOWN


class Streams:
    """The open streams of all workloads. Counts what went through: `chunks`, `size`, `lost`."""

    def __init__(self, lineage: Lineage) -> None:
        self.lineage = lineage
        self.chunks = self.size = self.lost = 0
        self._open: dict[Tls, tuple[StreamId, list[int]]] = {}  # id, next position of each direction

    def bytes(self, value: TlsBytes) -> Iterator[Record]:
        """Bytes of one direction, after its stream's opening and any gap before them."""
        yield from self._opened(value.tls, value.time)
        yield from self._missing(value.tls, Border(value.direction, value.position, value.time))
        stream, positions = self._open[value.tls]
        positions[value.direction] = value.position + len(value.data)
        self.chunks, self.size = self.chunks + 1, self.size + len(value.data)
        yield Chunk(stream, value.direction, value.position, value.data, value.time)

    def loss(self, value: TlsLost) -> Iterator[Record]:
        """Bytes that the kernel side saw and could not give us."""
        yield from self._opened(value.tls, value.time)
        yield from self._missing(value.tls, Border(value.direction, value.position, value.time))
        end = value.position + value.size
        yield from self._missing(value.tls, Border(value.direction, end, value.time, value.cause))

    def closed(self, value: TlsClosed) -> Iterator[Record]:
        """The end of a stream; what is missing up to it is stated first."""
        if value.tls not in self._open and not (value.out_position or value.in_position):
            return
        yield from self._opened(value.tls, value.time)
        yield from self._missing(value.tls, Border(Direction.OUT, value.out_position, value.time))
        yield from self._missing(value.tls, Border(Direction.IN, value.in_position, value.time))
        stream, _ = self._open.pop(value.tls)
        yield StreamClosed(stream, value.time, value.out_position, value.in_position)

    def _opened(self, tls: Tls, time: int) -> Iterator[Record]:
        if tls in self._open:
            return
        key = (tls.pid, tls.started)
        yield from self.lineage.met(key, tls.workload, time)
        process = self.lineage.id_of(key)
        stream = stream_id(process, tls.handle, tls.born)
        self._open[tls] = (stream, [0, 0])
        yield StreamOpened(stream, process, self.lineage.sessions[tls.workload], tls.born, tls.library, tls.handle)

    def _missing(self, tls: Tls, border: Border) -> Iterator[Record]:
        """State everything before the border that has not come as lost."""
        stream, positions = self._open[tls]
        begin = positions[border.direction]
        size = border.position - begin
        if size > 0:
            yield Loss(stream, border.direction, begin, size, border.time, border.cause)
            positions[border.direction], self.lost = border.position, self.lost + size
