"""The mirror of bpf/gate_event.h, as agent/trace/layout.py is of event.h.

struct gate { struct head head; __u64 code; __u32 thread, pad; };
struct gate_read { struct tls tls; __u64 address; __u32 thread, pad; };
struct image { __u64 started; __u32 pid, image; };
struct thread { __u32 number; };
struct gate_state { __u64 waiting, is_open, reads, tracer; };
"""

import ctypes
from ctypes import c_uint32, c_uint64
from enum import IntEnum

from chaperone.agent.trace.layout import Head, TlsRecord


class GateKind(IntEnum):
    """`head.kind` in the gate's own ring."""

    EXEC = 48
    CONNECT = 49
    READ = 50


class GateRecord(ctypes.Structure):
    """`struct gate`."""

    _fields_ = (("head", Head), ("code", c_uint64), ("thread", c_uint32), ("pad", c_uint32))


class ReadRecord(ctypes.Structure):
    """`struct gate_read`."""

    _fields_ = (("tls", TlsRecord), ("address", c_uint64), ("thread", c_uint32), ("pad", c_uint32))


class ImageKey(ctypes.Structure):
    """`struct image`."""

    _fields_ = (("started", c_uint64), ("pid", c_uint32), ("image", c_uint32))


class Thread(ctypes.Structure):
    """`struct thread`."""

    _fields_ = (("number", c_uint32),)


class GateState(ctypes.Structure):
    """`struct gate_state`."""

    _fields_ = (("waiting", c_uint64), ("is_open", c_uint64), ("reads", c_uint64), ("tracer", c_uint64))


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "gate": GateRecord,
    "gate_read": ReadRecord,
    "image": ImageKey,
    "thread": Thread,
    "gate_state": GateState,
}

RECORD_LIMIT = max(ctypes.sizeof(GateRecord), ctypes.sizeof(ReadRecord))


def record_of(data: bytes) -> GateRecord | ReadRecord:
    """What the kernel wrote, by the kind in its head."""
    is_read = Head.from_buffer_copy(data).kind == GateKind.READ
    return (ReadRecord if is_read else GateRecord).from_buffer_copy(data)
