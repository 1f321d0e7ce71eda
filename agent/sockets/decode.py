"""Raw ring records and map values about sockets → values. Knows nothing but the bytes it is given."""

import ctypes
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from chaperone.agent.sockets.layout import (
    SIZES,
    AnswerRecord,
    Broken,
    ClosingRecord,
    Denied,
    DeniedRecord,
    FlowRecord,
    HelloRecord,
    OpenedRecord,
    SocketKind,
    TiedRecord,
)
from chaperone.agent.sockets.peers import of_peer
from chaperone.agent.sockets.values import (
    Flow,
    SocketAnswer,
    SocketClosing,
    SocketDenied,
    SocketHello,
    SocketOpened,
    SocketTied,
    SocketValue,
)
from chaperone.proto.records import Direction

PROTOCOLS = {6: "tcp", 17: "udp"}
BROKEN = {
    Broken.NOT: "",
    Broken.HOLE: "packets came out of order across a record's head",
    Broken.LATE: "it was open before the recording began, or was accepted",
    Broken.UNMET: "its client's records came before a hello of its server was found",
    Broken.CROWDED: "too many records in one packet to count",
}


def address(raw: bytes, port: int, family: int) -> str:
    """host:port, IPv6 in brackets."""
    return f"{IPv4Address(raw[:4])}:{port}" if family == 4 else f"[{IPv6Address(raw)}]:{port}"


def flow_of(raw: FlowRecord) -> Flow:
    """One direction's counts."""
    count = raw.records - raw.handshake_records
    last = tuple(raw.last[number % SIZES] for number in range(max(0, count - SIZES), count))
    first = tuple(raw.first)[: min(count, SIZES)]
    counts = (raw.wire, raw.bytes, raw.records, raw.handshake, raw.handshake_records)
    return Flow(*counts, first, last, bool(raw.tls), BROKEN[Broken(raw.broken)], bool(raw.unfollowed))


def _opened(record: bytes) -> SocketOpened:
    raw = OpenedRecord.from_buffer_copy(record)
    local = address(bytes(raw.local), raw.local_port, raw.family)
    remote = address(bytes(raw.remote), raw.remote_port, raw.family)
    head, name, protocol = raw.head, of_peer(raw.cookie, raw.peer), PROTOCOLS[raw.protocol]
    about = (name, local, remote, protocol, bool(raw.late), raw.quic, tuple(raw.before))
    return SocketOpened(head.pid, head.started, head.time, head.workload, *about)


def _tied(record: bytes) -> SocketTied:
    raw = TiedRecord.from_buffer_copy(record)
    return SocketTied(raw.head.pid, raw.head.started, raw.head.time, raw.handle, raw.cookie)


def _hello(record: bytes) -> SocketHello:
    raw = HelloRecord.from_buffer_copy(record)
    return SocketHello(raw.cookie, Direction(raw.direction), bytes(raw.data)[: raw.kept], raw.head.time, raw.position)


def _closing(record: bytes) -> SocketClosing:
    raw = ClosingRecord.from_buffer_copy(record)
    return SocketClosing(raw.cookie, raw.head.time)


def _answer(record: bytes) -> SocketAnswer:
    raw, at = AnswerRecord.from_buffer_copy(record), ctypes.sizeof(AnswerRecord)
    data = record[at : at + raw.kept]
    return SocketAnswer(of_peer(raw.cookie, raw.peer), raw.head.time, raw.position, raw.size, data)


def _denied(record: bytes) -> SocketDenied:
    raw = DeniedRecord.from_buffer_copy(record)
    return SocketDenied(raw.cookie, raw.head.time, raw.head.workload, Denied(raw.why))


DECODERS: dict[int, Callable[[bytes], SocketValue]] = {
    SocketKind.OPENED: _opened,
    SocketKind.TIED: _tied,
    SocketKind.HELLO: _hello,
    SocketKind.CLOSING: _closing,
    SocketKind.ANSWER: _answer,
    SocketKind.DENIED: _denied,
}
