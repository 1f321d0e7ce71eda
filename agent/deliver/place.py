"""Plaintext from the kernel → records of streams: ids, the first and last word of each, and no gap unsaid.

The kernel side states its losses; a position that jumps without such a statement is stated here, cause unknown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from chaperone.agent.trace.values import Tls, TlsBytes, TlsClosed, TlsHeld, TlsLost
from chaperone.agent.workload.lineage import Lineage
from chaperone.proto.ids import ProcessId, SessionId, StreamId, stream_id
from chaperone.proto.records import Cause, Chunk, Direction, Loss, Record, StreamClosed, StreamOpened


@dataclass(frozen=True, slots=True)
class Border:
    """A direction is known to have come this far; `cause`: why what has not been seen before it is missing."""

    direction: Direction
    position: int
    time: int
    cause: Cause = Cause.UNKNOWN


@dataclass(slots=True)
class _Stream:
    """An open stream: where the kernel's position 0 lies in it, and each direction's next position, as the kernel counts."""

    id: StreamId
    session: SessionId
    begin: int
    next: list[int] = field(default_factory=lambda: [0, 0])


class Streams:
    """The open streams of all workloads. Counts what went through: `chunks`, `size`, `lost`.

    A TLS object of a process that ran before us is joined late, unless `is_fresh` (of process and handle) knows its connection
    from the first packet. The kernel counts it from 0 as well: its positions are moved by 1, for what came before. While its first bytes
    are held nobody knows its connection; it is none from before where its process (by pid) has fresh ones only (`has_fresh_ones`).
    """

    def __init__(
        self,
        lineage: Lineage,
        is_fresh: Callable[[ProcessId, int], bool] = lambda *_: False,
        has_fresh_ones: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self.lineage, self.is_fresh, self.has_fresh_ones = lineage, is_fresh, has_fresh_ones
        self.chunks = self.size = self.lost = 0
        self._open: dict[Tls, _Stream] = {}

    def bytes(self, value: TlsBytes) -> Iterator[Record]:
        """Bytes of one direction, after its stream's opening and any gap before them."""
        yield from self._opened(value.tls, value.time)
        yield from self._missing(value.tls, Border(value.direction, value.position, value.time))
        stream = self._open[value.tls]
        stream.next[value.direction] = value.position + len(value.data)
        self.chunks, self.size = self.chunks + 1, self.size + len(value.data)
        yield Chunk(stream.id, value.direction, stream.begin + value.position, value.data, value.time)

    def held(self, value: TlsHeld) -> Iterator[Record]:
        """The stream's opening, if its first bytes wait to leave."""
        yield from self._opened(value.tls, value.time, is_held=True)

    def place_of(self, tls: Tls) -> tuple[StreamId, int] | None:
        """An open stream's id, and what its positions have in front of the kernel's; None if it is not open."""
        stream = self._open.get(tls)
        return (stream.id, stream.begin) if stream else None

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
        stream = self._open.pop(value.tls)
        yield StreamClosed(stream.id, value.time, stream.begin + value.out_position, stream.begin + value.in_position)

    def has_open(self, session: SessionId) -> bool:
        """Whether a stream of this session is open."""
        return any(stream.session == session for stream in self._open.values())

    def forget(self, workload: int) -> None:
        """Of its streams nothing will come any more."""
        self._open = {tls: stream for tls, stream in self._open.items() if tls.workload != workload}

    def _opened(self, tls: Tls, time: int, is_held: bool = False) -> Iterator[Record]:
        if tls in self._open:
            return
        key = (tls.pid, tls.started)
        yield from self.lineage.met(key, tls.workload, time)
        process = self.lineage.id_of(key)
        stream = stream_id(process, tls.handle, tls.born)
        is_late = self.lineage.was_before(key) and not self.is_fresh(process, tls.handle)
        is_late = is_late and not (is_held and self.has_fresh_ones(tls.pid))
        session = self.lineage.sessions[tls.workload]
        self._open[tls] = _Stream(stream, session, int(is_late))
        yield StreamOpened(stream, process, session, tls.born, tls.library, tls.handle, is_late)

    def _missing(self, tls: Tls, border: Border) -> Iterator[Record]:
        """State everything before the border that has not come as lost."""
        stream = self._open[tls]
        begin = stream.next[border.direction]
        size = border.position - begin
        if size > 0:
            yield Loss(stream.id, border.direction, stream.begin + begin, size, border.time, border.cause)
            stream.next[border.direction], self.lost = border.position, self.lost + size
