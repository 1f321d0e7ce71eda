"""The mirror of bpf/socket_event.h, as agent/trace/layout.py is that of event.h. A test compiles it against the C file.

struct socket_opened { struct head head; __u64 cookie, peer, before[2]; __u8 local[16], remote[16]; __u32 quic;
                       __u16 local_port, remote_port; __u8 family, protocol, late, pad[5]; };
struct socket_tied   { struct head head; __u64 handle, cookie; };
struct socket_hello  { struct head head; __u64 cookie, position; __u32 direction, kept; __u8 data[HELLO_LIMIT]; };
struct socket_closing { struct head head; __u64 cookie; };
struct socket_answer { struct head head; __u64 cookie, peer, position; __u32 size, kept; };
struct socket_denied { struct head head; __u64 cookie, size; __u32 why, pad; };
struct flow_key      { __u64 cookie, peer; __u32 direction, pad; };
struct walk          { __u32 next, remain, at, end; __u8 header[5], have, pad[2]; };
struct flow          { __u64 wire, bytes, handshake, awaited; __u32 records, handshake_records; struct walk walk;
                       __u16 first[SIZES], last[SIZES], cipher; __u8 tls, broken, closing, answers, unfollowed, pad;
                       __u64 workload; };
"""

import ctypes
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum

from chaperone.agent.trace.layout import Head

HELLO_LIMIT = 2048
SIZES = 8


class SocketKind(IntEnum):
    """`head.kind`."""

    OPENED = 32
    TIED = 33
    HELLO = 34
    CLOSING = 35
    ANSWER = 36
    DENIED = 37


class Broken(IntEnum):
    """`flow.broken`: why a direction's records are not all counted."""

    NOT = 0
    HOLE = 1
    LATE = 2
    CROWDED = 3
    UNMET = 4


class OpenedRecord(ctypes.Structure):
    """`struct socket_opened`."""

    _fields_ = (
        ("head", Head),
        ("cookie", c_uint64),
        ("peer", c_uint64),
        ("before", c_uint64 * 2),
        ("local", c_uint8 * 16),
        ("remote", c_uint8 * 16),
        ("quic", c_uint32),
        ("local_port", c_uint16),
        ("remote_port", c_uint16),
        ("family", c_uint8),
        ("protocol", c_uint8),
        ("late", c_uint8),
        ("pad", c_uint8 * 5),
    )


class TiedRecord(ctypes.Structure):
    """`struct socket_tied`."""

    _fields_ = (("head", Head), ("handle", c_uint64), ("cookie", c_uint64))


class HelloRecord(ctypes.Structure):
    """`struct socket_hello`."""

    _fields_ = (
        ("head", Head),
        ("cookie", c_uint64),
        ("position", c_uint64),
        ("direction", c_uint32),
        ("kept", c_uint32),
        ("data", c_uint8 * HELLO_LIMIT),
    )


class ClosingRecord(ctypes.Structure):
    """`struct socket_closing`."""

    _fields_ = (("head", Head), ("cookie", c_uint64))


class AnswerRecord(ctypes.Structure):
    """`struct socket_answer`: the data follows."""

    _fields_ = (
        ("head", Head),
        ("cookie", c_uint64),
        ("peer", c_uint64),
        ("position", c_uint64),
        ("size", c_uint32),
        ("kept", c_uint32),
    )


class Denied(IntEnum):
    """`socket_denied.why`."""

    HELLO = 1
    BYTES = 2
    BEYOND = 3
    HEADERS = 4


class DeniedRecord(ctypes.Structure):
    """`struct socket_denied`."""

    _fields_ = (("head", Head), ("cookie", c_uint64), ("size", c_uint64), ("why", c_uint32), ("pad", c_uint32))


class FlowKey(ctypes.Structure):
    """`struct flow_key`."""

    _fields_ = (("cookie", c_uint64), ("peer", c_uint64), ("direction", c_uint32), ("pad", c_uint32))


class Walk(ctypes.Structure):
    """`struct walk`."""

    _fields_ = (
        ("next", c_uint32),
        ("remain", c_uint32),
        ("at", c_uint32),
        ("end", c_uint32),
        ("header", c_uint8 * 5),
        ("have", c_uint8),
        ("pad", c_uint8 * 2),
    )


class FlowRecord(ctypes.Structure):
    """`struct flow`."""

    _fields_ = (
        ("wire", c_uint64),
        ("bytes", c_uint64),
        ("handshake", c_uint64),
        ("awaited", c_uint64),
        ("records", c_uint32),
        ("handshake_records", c_uint32),
        ("walk", Walk),
        ("first", c_uint16 * SIZES),
        ("last", c_uint16 * SIZES),
        ("cipher", c_uint16),
        ("tls", c_uint8),
        ("broken", c_uint8),
        ("closing", c_uint8),
        ("answers", c_uint8),
        ("unfollowed", c_uint8),
        ("pad", c_uint8),
        ("workload", c_uint64),
    )


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "socket_opened": OpenedRecord,
    "socket_tied": TiedRecord,
    "socket_hello": HelloRecord,
    "socket_closing": ClosingRecord,
    "socket_answer": AnswerRecord,
    "socket_denied": DeniedRecord,
    "flow_key": FlowKey,
    "walk": Walk,
    "flow": FlowRecord,
}
