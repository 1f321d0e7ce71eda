"""The records of a batch and of the spool: what an agent saw, as values.

One record is a msgpack array `[kind, field, field, …]` in the order of its class. Fields are only ever added at the
end and with a default, so an older reader ignores what it does not know and a newer one fills in what is missing; an
unknown kind becomes `Unknown` and is counted. Times are boot-time nanoseconds (CLOCK_BOOTTIME) of the agent's node.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum

import msgpack

from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, StreamId

NO_SESSION = SessionId("")
NO_STREAM = StreamId("")


class Direction(IntEnum):
    """Whose bytes: OUT from client to server, IN back. Equal to capture.proto's Direction."""

    OUT = 0
    IN = 1


class Cause(StrEnum):
    """Why bytes are missing."""

    RING_FULL = "ring full"
    TOO_LONG = "longer than one call may carry"
    PAGE_ABSENT = "page not in memory"
    NO_BUFFER = "moved by a call that has no buffer of them"
    EARLY = "0-RTT data, which is not recorded"
    OVER_SHARE = "its workload had more than its share of the ring"
    MEMORY = "agent's memory limit"
    DROPPED = "dropped on purpose"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A workload began. `apiservers`: host:port known to be apiservers (may be empty); `user`: who asked for the run.

    `policies`: texts of policy files that whoever asked for the run wants it judged by, besides the collector's own.
    From `namespace` on, and with `labels`: what the API said about the container's pod when the session began; `owner` as
    "Kind/name". Empty for what is no pod. `continues`: the session before it of the same container, which was cut.
    """

    session: SessionId
    workload: str
    time: int
    user: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    node: str = ""
    apiservers: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    policies: tuple[str, ...] = ()
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    container_id: str = ""
    image: str = ""
    service_account: str = ""
    owner: str = ""
    runtime_class: str = ""
    continues: SessionId = NO_SESSION


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The workload ended. `status`: a wait status as a shell shows it (128+n for a signal), -1 if unknown.

    `cut`: why its session ended before it, "" where it did not; it goes on in the session `goes_on`.
    """

    session: SessionId
    time: int
    status: int = -1
    cut: str = ""
    goes_on: SessionId = NO_SESSION


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process, when it started or when its program changed (exec): a later record replaces an earlier one's fields.

    `argv_cut`: its command line was longer, and nobody could tell the rest; the last argument may be a part.
    """

    process: ProcessId
    session: SessionId
    time: int
    pid: int
    exe: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    uid: int = -1
    parent: ProcessId | None = None
    argv_cut: bool = False


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """A process ended. `status`: as in SessionEnded."""

    process: ProcessId
    time: int
    status: int = -1


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The first event of a TLS object. `library`: "openssl", "go", …; `handle`: its address in the process.

    `late`: it was there before the recording; how far it had come is not known, and its positions begin at 1.
    """

    stream: StreamId
    process: ProcessId
    session: SessionId
    time: int
    library: str
    handle: int = 0
    late: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A stream's connection, once known, perhaps behind its end. Addresses as "host:port", IPv6 in brackets.

    `elsewhere`: it is certain that no API server is at its other end.
    """

    stream: StreamId
    time: int
    cookie: int = 0
    local: str = ""
    remote: str = ""
    session: SessionId | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one direction from one position. OUT: as accepted by the TLS call."""

    stream: StreamId
    direction: Direction
    position: int
    data: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Loss:
    """`size` bytes from `position` that the agent could not get."""

    stream: StreamId
    direction: Direction
    position: int
    size: int
    time: int
    cause: str = Cause.UNKNOWN


@dataclass(frozen=True, slots=True)
class Withheld:
    """`size` bytes from `position` that the agent had and did not send: they are no API server's, and `egress.scan` is off."""

    stream: StreamId
    direction: Direction
    position: int
    size: int
    time: int


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The TLS object was freed, or its process ended. The positions are each direction's length."""

    stream: StreamId
    time: int
    out_position: int = 0
    in_position: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A thread waits in a TLS call: OUT before its bytes (`data`) leave, IN before they are delivered (the chunk that follows)."""

    hold: str
    stream: StreamId
    direction: Direction
    position: int
    size: int
    time: int
    data: bytes = b""


SHUT = "connection"  # the result of an outcome by which its stream's connection was ended


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the agent did about a hold. `order`: the order's name; `digest`: of what left or was delivered.

    `gained`: so many more bytes left on `stream` than its program wrote; below 0: fewer.
    """

    hold: str
    order: str
    time: int
    result: str = ""
    digest: bytes = b""
    stream: StreamId = NO_STREAM
    gained: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the recording must know, without payload: `subject` is what it is about, `text` a sentence.

    `complete` is False when it makes the session's recording incomplete.
    """

    session: SessionId
    time: int
    subject: str
    text: str
    complete: bool = True


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Nothing is enforced on a node from `time` until `until`, by word of `who`; or again, from `ended` on. `glass`: which word."""

    glass: str
    node: str
    time: int
    until: int
    who: str
    why: str
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """A socket of a workload: at its first packet (`ended` 0), and again when it is over.

    `wire`: payload bytes; `app`: of these application bytes of TLS, by the records' sizes; `captured`: plaintext recorded.
    `coverage`: "complete", "gap: N bytes" or "unproven: why"; "" where there is no TLS. Addresses as in Bound. `unread`: the TLS stack
    of a program that no probe reads, as far as it is known, or "QUIC"; said again as soon as that is certain. `known`: boot time of then.
    """

    connection: ConnectionId
    session: SessionId
    process: ProcessId
    time: int
    cookie: int = 0
    local: str = ""
    remote: str = ""
    protocol: str = ""
    server_name: str = ""
    tls: str = ""
    ended: int = 0
    wire_out: int = 0
    wire_in: int = 0
    app_out: int = 0
    app_in: int = 0
    captured_out: int = 0
    captured_in: int = 0
    coverage_out: str = ""
    coverage_in: str = ""
    unread: str = ""
    known: int = 0
    before_out: int = 0
    before_in: int = 0


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """What a name server (port 53) sent on a connection: a datagram, or a piece of a TCP connection, from one position.

    `size`: of all of it; `data` may be less.
    """

    connection: ConnectionId
    session: SessionId
    time: int
    position: int
    size: int
    data: bytes
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record that can't be used: of a kind this version does not know, or, with a `reason`, one of a known kind gone wrong."""

    kind: int
    reason: str = ""
    session: SessionId = NO_SESSION


Record = (
    SessionStarted
    | SessionEnded
    | ProcessSeen
    | ProcessEnded
    | StreamOpened
    | Bound
    | Chunk
    | Loss
    | Withheld
    | StreamClosed
    | Hold
    | Outcome
    | Note
    | BreakGlass
    | Connection
    | NameAnswer
    | Unknown
)

KINDS: dict[int, type] = {
    1: SessionStarted,
    2: SessionEnded,
    3: ProcessSeen,
    4: ProcessEnded,
    5: StreamOpened,
    6: Bound,
    7: Chunk,
    8: Loss,
    9: StreamClosed,
    10: Hold,
    11: Outcome,
    12: Note,
    13: BreakGlass,
    14: Withheld,
    20: Connection,
    21: NameAnswer,
}
_NUMBERS = {cls: number for number, cls in KINDS.items()}
_NAMES = {cls: tuple(field.name for field in fields(cls)) for cls in KINDS.values()}


def pack(records: Iterable[Record]) -> bytes:
    """Records as concatenated msgpack arrays."""
    packer = msgpack.Packer(unicode_errors="backslashreplace")  # names of files and arguments are bytes, not always UTF-8
    return b"".join(packer.pack(_array(record)) for record in records)


def unpack(data: bytes) -> Iterator[Record]:
    """The records in `data`; one that lacks fields is an Unknown. ValueError on bytes that are no records at all."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) or 1, use_list=False)
    unpacker.feed(data)
    end = 0
    try:
        for array in unpacker:
            end = unpacker.tell()
            yield _record(array)
    except (TypeError, IndexError, KeyError, msgpack.UnpackException, msgpack.StackError) as error:
        raise ValueError(f"not a batch of records: {type(error).__name__}") from error
    if end != len(data):
        raise ValueError(f"records cut off behind byte {end} of {len(data)}")


def _array(record: Record) -> list[object]:
    cls = type(record)
    return [_NUMBERS[cls], *(getattr(record, name) for name in _NAMES[cls])]


def _record(array: tuple[object, ...]) -> Record:
    number, values = array[0], array[1:]
    cls = KINDS.get(number) if isinstance(number, int) else None
    if cls is None:
        return Unknown(number if isinstance(number, int) else -1)
    try:
        record: Record = cls(*values[: len(_NAMES[cls])])
        if isinstance(record, Chunk | Loss | Withheld | Hold):
            object.__setattr__(record, "direction", Direction(record.direction))
    except (TypeError, ValueError):
        return Unknown(_NUMBERS[cls], f"a {cls.__name__} lacks fields or has a wrong direction")
    return record
