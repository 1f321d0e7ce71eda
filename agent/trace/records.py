"""Raw ring records → values. Knows nothing but the bytes it is given."""

from collections.abc import Callable, Iterator

from chaperone.agent.groups import decode as groups
from chaperone.agent.hold.layout import HELD, HeldRecord
from chaperone.agent.sockets import decode as sockets
from chaperone.agent.trace.layout import NOT_WHOLE, ClosedRecord, ExecRecord, Head, Kind, ProcessRecord, TlsRecord
from chaperone.agent.trace.values import ProcessExec, ProcessExit, ProcessFork, Site, Tls, TlsBytes, TlsClosed, TlsHeld, TlsLost, Value
from chaperone.proto.records import Cause, Direction

LIBRARIES = {1: "openssl", 2: "go", 3: "gnutls"}
CAUSES = {1: Cause.RING_FULL, 2: Cause.PAGE_ABSENT, 3: Cause.TOO_LONG, 4: Cause.NO_BUFFER, 5: Cause.EARLY, 6: Cause.OVER_SHARE}
HEAD_SIZE = TlsRecord.kept.offset + 8  # where a chunk's data begins


def decode(record: bytes) -> Value:
    """The value of one record, as the ring hands it out."""
    return DECODERS[Head.from_buffer_copy(record).kind](record)


def tls_of(head: Head, handle: int, born: int, library: int) -> Tls:
    """A TLS object's name, from the fields every record about it has."""
    return Tls(head.pid, head.started, handle, born, LIBRARIES[library], head.workload, head.image)


def _bytes(record: bytes) -> TlsBytes:
    raw = TlsRecord.from_buffer_copy(record)
    data = record[HEAD_SIZE : HEAD_SIZE + raw.kept]
    tls = tls_of(raw.head, raw.handle, raw.born, raw.library)
    return TlsBytes(tls, Direction(raw.direction), raw.position, data, raw.head.time)


def _lost(record: bytes) -> TlsLost:
    raw = TlsRecord.from_buffer_copy(record)
    tls = tls_of(raw.head, raw.handle, raw.born, raw.library)
    return TlsLost(tls, Direction(raw.direction), raw.position, raw.size, raw.head.time, CAUSES[raw.cause])


def _held(record: bytes) -> TlsHeld:
    raw = HeldRecord.from_buffer_copy(record)
    tls = tls_of(raw.head, raw.call.handle, raw.born, raw.library)
    place = Direction(raw.call.direction), raw.position, raw.size
    return TlsHeld(tls, *place, raw.head.time, raw.tid, Site(raw.site), raw.call.buffer)


def _closed(record: bytes) -> TlsClosed:
    raw = ClosedRecord.from_buffer_copy(record)
    tls = tls_of(raw.head, raw.handle, raw.born, raw.library)
    return TlsClosed(tls, raw.head.time, *raw.positions)


def _exec(record: bytes) -> ProcessExec:
    raw = ExecRecord.from_buffer_copy(record)
    process, head = raw.process, raw.process.head
    return ProcessExec(
        pid=head.pid,
        started=head.started,
        time=head.time,
        workload=head.workload,
        exe=_text(bytes(raw.file).split(b"\0", 1)[0]),
        argv=tuple(_argv(bytes(raw.argv)[: process.kept])),
        argv_cut=process.kept < process.size,
        uid=process.uid,
        parent_pid=process.parent,
        parent_started=process.parent_started,
        cwd="" if process.folder == NOT_WHOLE else _folder(bytes(raw.folder)[: process.folder]),
    )


def _fork(record: bytes) -> ProcessFork:
    raw = ProcessRecord.from_buffer_copy(record)
    head = raw.head
    return ProcessFork(head.pid, head.started, head.time, head.workload, raw.uid, raw.parent, raw.parent_started)


def _exit(record: bytes) -> ProcessExit:
    raw = ProcessRecord.from_buffer_copy(record)
    head = raw.head
    return ProcessExit(head.pid, head.started, head.time, head.workload, shell_status(raw.status))


def shell_status(status: int) -> int:
    """A wait status as a shell shows it: the exit code, or 128 + the signal's number."""
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF


def _argv(raw: bytes) -> Iterator[str]:
    """Each argument ends with a 0; what was cut has none."""
    if raw:
        yield from (_text(argument) for argument in raw.removesuffix(b"\0").split(b"\0"))


def _folder(raw: bytes) -> str:
    """An absolute path; its names come from the innermost outwards."""
    return "/" + "/".join(_text(name) for name in reversed(raw.split(b"\0")[:-1]))


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


DECODERS: dict[int, Callable[[bytes], Value]] = {
    Kind.BYTES: _bytes,
    Kind.LOST: _lost,
    Kind.CLOSED: _closed,
    HELD: _held,
    Kind.EXEC: _exec,
    Kind.FORK: _fork,
    Kind.EXIT: _exit,
    **sockets.DECODERS,
    **groups.DECODERS,
}
