"""The mirror of bpf/event.h: the only place in Python that knows offsets. A test compiles it against the C file.

struct head    { __u64 time, started; __u32 pid, image; __u16 kind, workload; __u32 pad; };
struct tls     { struct head head; __u64 handle, born, position, size; __u32 kept; __u8 direction, library, cause, pad; };
struct closed  { struct head head; __u64 handle, born, positions[2]; __u32 library, pad; };
struct process { struct head head; __u64 parent_started; __u32 parent, uid; __s32 status; __u32 kept, size, folder; };
struct exec    { struct process process; char file[FILE_LIMIT], argv[ARGV_LIMIT], folder[FOLDER_LIMIT + NAME_LIMIT]; };
struct stream_key { __u64 started, handle; __u32 pid, image; };
struct stream  { __u64 born, handle, positions[2]; __u16 library, workload; __u32 closed; };
struct counters { __u64 chunks, events, streams, calls, connects, packets, sent, begun, ended, flows, entered, returned; };
struct taken   { __u64 bytes, streams, flows, calls; };
struct governed { __u64 count; };
"""

import ctypes
from ctypes import c_int32, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum

FILE_LIMIT = 256
ARGV_LIMIT = 4096
NAME_LIMIT, FOLDER_LIMIT, NOT_WHOLE = 256, 1024, 2**32 - 1


class Kind(IntEnum):
    """`head.kind`."""

    BYTES = 1
    LOST = 2
    CLOSED = 3
    EXEC = 4
    FORK = 5
    EXIT = 6


class Head(ctypes.Structure):
    """`struct head`."""

    _fields_ = (
        ("time", c_uint64),
        ("started", c_uint64),
        ("pid", c_uint32),
        ("image", c_uint32),
        ("kind", c_uint16),
        ("workload", c_uint16),
        ("pad", c_uint32),
    )


class TlsRecord(ctypes.Structure):
    """`struct tls`."""

    _fields_ = (
        ("head", Head),
        ("handle", c_uint64),
        ("born", c_uint64),
        ("position", c_uint64),
        ("size", c_uint64),
        ("kept", c_uint32),
        ("direction", c_uint8),
        ("library", c_uint8),
        ("cause", c_uint8),
        ("pad", c_uint8),
    )


class ClosedRecord(ctypes.Structure):
    """`struct closed`."""

    _fields_ = (
        ("head", Head),
        ("handle", c_uint64),
        ("born", c_uint64),
        ("positions", c_uint64 * 2),
        ("library", c_uint32),
        ("pad", c_uint32),
    )


class ProcessRecord(ctypes.Structure):
    """`struct process`."""

    _fields_ = (
        ("head", Head),
        ("parent_started", c_uint64),
        ("parent", c_uint32),
        ("uid", c_uint32),
        ("status", c_int32),
        ("kept", c_uint32),
        ("size", c_uint32),
        ("folder", c_uint32),
    )


class ExecRecord(ctypes.Structure):
    """`struct exec`."""

    _fields_ = (
        ("process", ProcessRecord),
        ("file", c_uint8 * FILE_LIMIT),
        ("argv", c_uint8 * ARGV_LIMIT),
        ("folder", c_uint8 * (FOLDER_LIMIT + NAME_LIMIT)),
    )


class StreamKey(ctypes.Structure):
    """`struct stream_key`."""

    _fields_ = (("started", c_uint64), ("handle", c_uint64), ("pid", c_uint32), ("image", c_uint32))


class Stream(ctypes.Structure):
    """`struct stream`."""

    _fields_ = (
        ("born", c_uint64),
        ("handle", c_uint64),
        ("positions", c_uint64 * 2),
        ("library", c_uint16),
        ("workload", c_uint16),
        ("closed", c_uint32),
    )


class Counters(ctypes.Structure):
    """`struct counters`."""

    _fields_ = (
        ("chunks", c_uint64),
        ("events", c_uint64),
        ("streams", c_uint64),
        ("calls", c_uint64),
        ("connects", c_uint64),
        ("packets", c_uint64),
        ("sent", c_uint64),
        ("begun", c_uint64),
        ("ended", c_uint64),
        ("flows", c_uint64),
        ("entered", c_uint64),
        ("returned", c_uint64),
    )


class Taken(ctypes.Structure):
    """`struct taken`."""

    _fields_ = (("bytes", c_uint64), ("streams", c_uint64), ("flows", c_uint64), ("calls", c_uint64))


class Governed(ctypes.Structure):
    """`struct governed`."""

    _fields_ = (("count", c_uint64),)


class Number(ctypes.Structure):
    """A `__u32` of its own."""

    _fields_ = (("value", c_uint32),)


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "head": Head,
    "tls": TlsRecord,
    "closed": ClosedRecord,
    "process": ProcessRecord,
    "exec": ExecRecord,
    "stream_key": StreamKey,
    "stream": Stream,
    "counters": Counters,
    "taken": Taken,
    "governed": Governed,
}
