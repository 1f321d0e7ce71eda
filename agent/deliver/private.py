"""What programs tell others than the API server stays on the node: of such streams only how much there was leaves it.

Where a stream leads is known as a rule before its first byte comes here (`Bound`). Until then its bytes wait, a moment and up to a
limit; then they go on: it may be the API server's, of which nothing may be missing. So do those of a stream that began inside of a
connection, which leads further than to its peer (a proxy), and of sessions in which all is read (`egress.scan`, rules that hold).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from chaperone.agent.workload.processes import now_ns
from chaperone.proto.ids import SessionId, StreamId
from chaperone.proto.records import Bound, Chunk, Direction, Hold, Loss, Record, SessionEnded, StreamClosed, StreamOpened, Withheld

WAIT_NS = 1_000_000_000
LIMIT = 16 << 20  # bytes that wait, of all streams


class Sink(Protocol):
    """The outbox."""

    def put(self, record: Record) -> None:
        """Take one record."""
        ...

    def flush(self) -> None:
        """Send what there is."""
        ...


@dataclass(slots=True)
class _Stream:
    """One whose bytes may have to stay. `waiting` since `since`; of one that `stays`: from where to where it went, per direction."""

    session: SessionId
    waiting: list[Record] = field(default_factory=list)
    size: int = 0
    since: int = 0
    stays: bool = False
    begin: list[int] = field(default_factory=lambda: [-1, -1])
    end: list[int] = field(default_factory=lambda: [0, 0])

    def withhold(self, record: Chunk | Loss) -> None:
        """Count it instead of handing it on; what was lost of it is nobody's loss."""
        side = record.direction
        if self.begin[side] < 0:
            self.begin[side] = record.position
        self.end[side] = record.position + (len(record.data) if isinstance(record, Chunk) else record.size)

    def withheld(self, stream: StreamId, time: int) -> Iterator[Record]:
        """What stayed of it."""
        for side in Direction:
            if self.begin[side] >= 0:
                yield Withheld(stream, side, self.begin[side], self.end[side] - self.begin[side], time)


class Private:
    """Before an outbox. `is_whole`: whether everything of a session is to be recorded."""

    def __init__(self, sink: Sink, is_whole: Callable[[SessionId], bool], clock: Callable[[], int] = now_ns) -> None:
        self.sink, self.is_whole, self.clock = sink, is_whole, clock
        self._streams: dict[StreamId, _Stream] = {}  # that are not known to lead to an API server
        self._waiting: dict[StreamId, None] = {}  # of these, the longest first
        self._size = 0

    def put(self, record: Record) -> None:
        """Take one record."""
        match record:
            case StreamOpened(stream, _, session):
                self.sink.put(record)
                if not self.is_whole(session):
                    self._streams[stream] = _Stream(session)
            case Chunk(stream) | Loss(stream) | StreamClosed(stream) if stream in self._streams:
                self._spoke(stream, record)
            case Bound() if record.stream in self._streams:
                self.sink.put(record)
                self._settle(record.stream, record.elsewhere)
            case Hold() if record.stream in self._streams:  # somebody has to decide on it
                self._settle(record.stream, stays=False)
                self.sink.put(record)
            case SessionEnded(session, time):
                self._end(session, time)
                self.sink.put(record)
            case _:
                self.sink.put(record)

    def flush(self) -> None:
        """Send what there is."""
        self.sink.flush()

    def look(self) -> None:
        """Let go on what has waited for too long."""
        now = self.clock()
        while self._waiting:
            stream = next(iter(self._waiting))
            if now - self._streams[stream].since < WAIT_NS and self._size <= LIMIT:
                break
            self._settle(stream, stays=False)

    def _spoke(self, stream: StreamId, record: Chunk | Loss | StreamClosed) -> None:
        known = self._streams[stream]
        if known.stays:
            self._stayed(stream, known, record)
            return
        if not known.waiting:
            known.since = self.clock()
            self._waiting[stream] = None
        known.waiting.append(record)
        size = len(record.data) if isinstance(record, Chunk) else 0
        known.size, self._size = known.size + size, self._size + size
        self.look()

    def _stayed(self, stream: StreamId, known: _Stream, record: Chunk | Loss | StreamClosed) -> None:
        if not isinstance(record, StreamClosed):
            known.withhold(record)
            return
        for said in (*known.withheld(stream, record.time), record):
            self.sink.put(said)
        del self._streams[stream]

    def _settle(self, stream: StreamId, stays: bool) -> None:
        """It is known where it leads, or has to be."""
        known = self._streams[stream]
        waiting, known.waiting, known.stays = known.waiting, [], known.stays or stays
        self._waiting.pop(stream, None)
        self._size, known.size = self._size - known.size, 0
        if not known.stays:
            del self._streams[stream]
        for record in waiting:
            self.put(record)

    def _end(self, session: SessionId, time: int) -> None:
        for stream, known in [(stream, known) for stream, known in self._streams.items() if known.session == session]:
            self._settle(stream, stays=False)
            for record in known.withheld(stream, time) if stream in self._streams else ():
                self.sink.put(record)
            self._streams.pop(stream, None)
