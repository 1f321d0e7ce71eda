"""Streams ↔ sockets: which connection a stream's plaintext left on, and how much of each direction there was.

Fed with the records that go to the collector, so that what is counted here is what was recorded.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from chaperone.agent.sockets.coverage import Plaintext
from chaperone.agent.sockets.values import SocketTied
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    SHUT,
    Bound,
    Cause,
    Chunk,
    Direction,
    Loss,
    Note,
    Outcome,
    ProcessEnded,
    Record,
    StreamClosed,
    StreamOpened,
)

SPEAKERS = 65536
Addresses = Callable[[int], tuple[str, str]]


@dataclass(slots=True)
class Spoken:
    """One stream: bytes per direction that went through (`reached`) and that were captured; `strays`: records seen on another socket.

    `early`: of those that went out, 0-RTT data. `closed`: when it was; 0: it is open. `is_shut`: an order ended its connection.
    """

    opened: StreamOpened
    cookie: int = 0
    strays: int = 0
    closed: int = 0
    early: int = 0
    is_shut: bool = False
    reached: list[int] = field(default_factory=lambda: [0, 0])
    captured: list[int] = field(default_factory=lambda: [0, 0])
    gained: list[int] = field(default_factory=lambda: [0, 0])  # bytes that left in the place of others, beyond their number

    def carried(self, direction: Direction) -> int:
        """How many bytes a connection had to carry for what went through."""
        return self.reached[direction] + self.gained[direction]


@dataclass(frozen=True, slots=True)
class Untied:
    """A connection with outward bytes of no known write: whose it is, since when, and how many such application bytes."""

    cookie: int
    process: ProcessId
    opened: int
    sent: int


class Ties:
    """`addresses` gives the local and remote address of a socket, `leads_elsewhere` whether it certainly leads to no API server.
    Bounded by open streams and open connections."""

    def __init__(self, addresses: Addresses, leads_elsewhere: Callable[[int], bool] = lambda _cookie: False) -> None:
        self.addresses, self.leads_elsewhere = addresses, leads_elsewhere
        self.speaking: dict[ProcessId, None] = {}  # the last processes of which plaintext was seen
        self._loose: dict[StreamId, Spoken] = {}  # without a socket, open or just closed
        self._streams: dict[StreamId, Spoken] = {}
        self._over: dict[StreamId, Spoken] = {}  # closed ones that are still to be counted
        self._handles: dict[tuple[ProcessId, int], StreamId] = {}
        self._waiting: dict[ProcessId, dict[int, SocketTied]] = {}  # by TLS handle: its stream has not begun
        self._cookies: dict[int, list[Spoken]] = {}

    def saw(self, record: Record) -> Iterator[Record]:
        """Count a record; what is to be said with it."""
        match record:
            case Chunk(stream, direction, position, data):
                self._streams[stream].captured[direction] += len(data)
                self._reach(stream, direction, position + len(data))
            case Loss(stream, direction, position, size, cause=cause):
                self._streams[stream].early += size if cause == Cause.EARLY else 0
                self._reach(stream, direction, position + size)
            case Outcome(stream=stream, gained=gained, result=result) if found := self._streams.get(stream) or self._over.get(stream):
                found.gained[Direction.OUT] += gained  # of a closed one too: who holds tells of it beside the kernel's ring
                found.is_shut = found.is_shut or result == SHUT
            case StreamOpened():
                yield from self._opened(record)
            case StreamClosed():
                yield from self._closed(record)
            case ProcessEnded(process):
                self._waiting.pop(process, None)

    def tied(self, process: ProcessId, value: SocketTied) -> Iterator[Record]:
        """A record of a TLS object left on a socket."""
        stream = self._handles.get((process, value.handle))
        if stream is None:
            self._waiting.setdefault(process, {})[value.handle] = value
        else:
            yield from self._bind(self._streams[stream], value)

    def awaited(self, process: ProcessId, handle: int) -> int:
        """The socket to which a TLS object has written that is no stream yet; 0: none is known."""
        value = self._waiting.get(process, {}).get(handle)
        return value.cookie if value else 0

    def cookie_of(self, stream: StreamId) -> int:
        """The socket of an open stream; 0: none is known."""
        found = self._streams.get(stream)
        return found.cookie if found else 0

    def match(self, untied: Untied, time: int) -> Iterator[Record]:
        """Small records may wait for an acknowledgement (Nagle) and leave outside of the thread that wrote them. A connection like
        that is tied if exactly one loose stream of its process (or of a child, by the same object), begun since, sent as many bytes.
        None at all left of a stream whose first request was ended by an order."""
        handles = {one.opened.handle for one in self.on(untied.cookie)}
        found = [one for one in self._loose.values() if (untied.sent > 0 or one.is_shut) and _fits(one, untied, handles)]
        if len(found) == 1:
            yield self._bound(found[0], untied.cookie, time)

    def is_waiting(self, session: SessionId) -> bool:
        """Whether a stream of that session is tied to no socket yet: any connection may be its."""
        return any(spoken.opened.session == session for spoken in self._loose.values())

    def unassociated(self, before: int) -> Iterator[Record]:
        """The streams that were closed before a time and are tied to no socket."""
        for stream, spoken in list(self._loose.items()):
            if 0 < spoken.closed < before:
                del self._loose[stream]
                self._over.pop(stream, None)
                text = f"unassociated: {sum(spoken.reached)} bytes are tied to no socket: no proof that they were sent"
                yield Note(spoken.opened.session, spoken.closed, f"stream {stream}", text)

    def on(self, cookie: int) -> list[Spoken]:
        """The streams of a connection."""
        return self._cookies.get(cookie, [])

    def plaintext(self, cookie: int, direction: Direction) -> Plaintext:
        """What they amount to."""
        streams = self.on(cookie)
        gained = sum(one.gained[direction] for one in streams)
        reached = sum(one.carried(direction) for one in streams)
        captured = gained + sum(one.captured[direction] for one in streams)
        return Plaintext(reached, captured, bool(streams), sum(one.early for one in streams))

    def forget(self, cookie: int) -> None:
        """The connection is over."""
        for spoken in self._cookies.pop(cookie, []):
            self._over.pop(spoken.opened.stream, None)

    def forget_session(self, session: SessionId, processes: Collection[ProcessId]) -> None:
        """Of its streams and processes nothing will come any more."""
        for stream in [stream for stream, spoken in self._streams.items() if spoken.opened.session == session]:
            about = self._streams.pop(stream).opened
            self._handles.pop((about.process, about.handle), None)
        self._loose = {stream: spoken for stream, spoken in self._loose.items() if spoken.opened.session != session}
        self._over = {stream: spoken for stream, spoken in self._over.items() if spoken.opened.session != session}
        for process in processes:
            self._waiting.pop(process, None)
            self.speaking.pop(process, None)

    def _reach(self, stream: StreamId, direction: Direction, position: int) -> None:
        reached = self._streams[stream].reached
        reached[direction] = max(reached[direction], position)

    def _opened(self, record: StreamOpened) -> Iterator[Record]:
        spoken = self._streams[record.stream] = Spoken(record)
        self._handles[record.process, record.handle] = record.stream
        self._loose[record.stream] = spoken
        self.speaking[record.process] = None
        if len(self.speaking) > SPEAKERS:
            del self.speaking[next(iter(self.speaking))]
        waiting = self._waiting.get(record.process, {}).pop(record.handle, None)
        if waiting and waiting.time >= record.time:  # an older one is of another object, which had this address
            yield from self._bind(spoken, waiting)

    def _bind(self, spoken: Spoken, value: SocketTied) -> Iterator[Record]:
        if spoken.cookie:
            spoken.strays += spoken.cookie != value.cookie
            return
        yield self._bound(spoken, value.cookie, value.time)

    def _bound(self, spoken: Spoken, cookie: int, time: int) -> Bound:
        spoken.cookie = cookie
        self._loose.pop(spoken.opened.stream, None)
        self._cookies.setdefault(cookie, []).append(spoken)
        return Bound(spoken.opened.stream, time, cookie, *self.addresses(cookie), spoken.opened.session, self.leads_elsewhere(cookie))

    def _closed(self, record: StreamClosed) -> Iterator[Record]:
        spoken = self._streams.pop(record.stream)
        spoken.reached = [record.out_position, record.in_position]
        about = spoken.opened
        if self._handles.get((about.process, about.handle)) == record.stream:
            del self._handles[about.process, about.handle]
        spoken.closed = record.time
        if not spoken.cookie or spoken.cookie in self._cookies:
            self._over[record.stream] = spoken
        if spoken.strays:
            text = f"{spoken.strays} of its records were seen on another connection than the first"
            yield Note(about.session, record.time, f"stream {record.stream}", text)


def _fits(spoken: Spoken, untied: Untied, handles: set[int]) -> bool:
    about = spoken.opened
    is_related = about.process == untied.process or about.handle in handles
    return is_related and about.time >= untied.opened and spoken.carried(Direction.OUT) == untied.sent
