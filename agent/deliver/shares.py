"""How much of what waits belongs to whom, so that one workload that floods us takes nothing from the others.

A session may have at most RATIO times as much waiting as is still free. So one alone reaches two thirds of the room, two that
flood two fifths each, and there is always some left for those that ask for little; nobody has to say how many there are.
"""

from collections import Counter

from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    NO_SESSION,
    Chunk,
    Hold,
    Loss,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    Withheld,
)

RATIO = 2


class Shares:
    """Bytes that wait, by session. Bounded by what is open: sessions, streams and processes."""

    def __init__(self) -> None:
        self.waiting: Counter[SessionId] = Counter()
        self._sessions: set[SessionId] = set()
        self._streams: dict[StreamId, SessionId] = {}
        self._processes: dict[ProcessId, SessionId] = {}

    def owner(self, record: Record) -> SessionId:
        """Whose record it is. Each record is asked for once, in their order."""
        match record:
            case SessionStarted():
                self._sessions.add(record.session)
            case SessionEnded():
                self._sessions.discard(record.session)
            case StreamOpened():
                self._streams[record.stream] = record.session
            case ProcessSeen():
                self._processes[record.process] = record.session
            case StreamClosed():
                return self._streams.pop(record.stream, NO_SESSION)
            case ProcessEnded():
                return self._processes.pop(record.process, NO_SESSION)
            case Chunk() | Loss() | Withheld() | Hold():
                return self._streams.get(record.stream, NO_SESSION)
        return getattr(record, "session", None) or NO_SESSION

    def is_within(self, owner: SessionId, size: int, free: int) -> bool:
        """Whether `size` more bytes leave the others their room. One that is alone has all of it."""
        is_alone = self._sessions <= {owner}
        return size <= free and (is_alone or self.waiting[owner] + size <= RATIO * free)

    def add(self, owner: SessionId, size: int) -> None:
        """More of it waits."""
        self.waiting[owner] += size

    def forget(self, session: SessionId) -> None:
        """Of its processes and streams nothing will come any more."""
        self._streams = {stream: owner for stream, owner in self._streams.items() if owner != session}
        self._processes = {process: owner for process, owner in self._processes.items() if owner != session}

    def take(self, sizes: dict[SessionId, int]) -> None:
        """This no longer waits."""
        self.waiting.subtract(sizes)
        for session in sizes:
            if self.waiting[session] <= 0:
                del self.waiting[session]
