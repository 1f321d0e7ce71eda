"""The mirror of bpf/hold_event.h and bpf/call.h, as agent/trace/layout.py is of event.h.

struct call_key { __u64 thread, depth; __u32 pid, pad; };
struct call    { __u64 time, handle, buffer, length, stack; __u32 slot, direction; __u64 size, ip, sent, held; };
struct held    { struct head head; struct call_key key; struct call call; __u64 born, position, size, task; __u32 tid;
                 __u16 site, library; };
struct pending { __u64 handle, size, time, cookie; __u32 pid, pad; };
struct hold_from { __u64 positions[2], owed; };
struct tally { __u64 threads; };
struct enforcing { __u64 is_enforced, is_strict, unheld, covers; };
struct lock_state { __u64 beat, dropped, open; };
struct lock_workload { __u64 is_strict, covers; };
struct object { __u64 handle; __u32 pid, pad; };
struct released { __u64 bytes, pooled; };
struct spent { __s64 bytes; __u64 ties; };
"""

import ctypes
from ctypes import c_int64, c_uint16, c_uint32, c_uint64

from chaperone.agent.trace.layout import Head

HELD = 80  # head.kind
HELD_SHARE = 2048  # held threads of one workload that the kernel notes
STALE_NS = 3_000_000_000  # without a sign of life for so long, an agent is dead to the second lock


class CallKey(ctypes.Structure):
    """`struct call_key`."""

    _fields_ = (("thread", c_uint64), ("depth", c_uint64), ("pid", c_uint32), ("pad", c_uint32))


class Call(ctypes.Structure):
    """`struct call`."""

    _fields_ = (
        ("time", c_uint64),
        ("handle", c_uint64),
        ("buffer", c_uint64),
        ("length", c_uint64),
        ("stack", c_uint64),
        ("slot", c_uint32),
        ("direction", c_uint32),
        ("size", c_uint64),
        ("ip", c_uint64),
        ("sent", c_uint64),
        ("held", c_uint64),
    )


class HeldRecord(ctypes.Structure):
    """`struct held`."""

    _fields_ = (
        ("head", Head),
        ("key", CallKey),
        ("call", Call),
        ("born", c_uint64),
        ("position", c_uint64),
        ("size", c_uint64),
        ("task", c_uint64),
        ("tid", c_uint32),
        ("site", c_uint16),
        ("library", c_uint16),
    )


class Pending(ctypes.Structure):
    """`struct pending`."""

    _fields_ = (("handle", c_uint64), ("size", c_uint64), ("time", c_uint64), ("cookie", c_uint64), ("pid", c_uint32), ("pad", c_uint32))


class HoldFrom(ctypes.Structure):
    """`struct hold_from`."""

    _fields_ = (("positions", c_uint64 * 2), ("owed", c_uint64))


class Tally(ctypes.Structure):
    """`struct tally`."""

    _fields_ = (("threads", c_uint64),)


class Enforcing(ctypes.Structure):
    """`struct enforcing`."""

    _fields_ = (("is_enforced", c_uint64), ("is_strict", c_uint64), ("unheld", c_uint64), ("covers", c_uint64))


class LockState(ctypes.Structure):
    """`struct lock_state`. `beat`, `open`: boot times in ns; `dropped`: packets."""

    _fields_ = (("beat", c_uint64), ("dropped", c_uint64), ("open", c_uint64))


class LockWorkload(ctypes.Structure):
    """`struct lock_workload`."""

    _fields_ = (("is_strict", c_uint64), ("covers", c_uint64))


class Object(ctypes.Structure):
    """`struct object`."""

    _fields_ = (("handle", c_uint64), ("pid", c_uint32), ("pad", c_uint32))


class Released(ctypes.Structure):
    """`struct released`."""

    _fields_ = (("bytes", c_uint64), ("pooled", c_uint64))


class Spent(ctypes.Structure):
    """`struct spent`."""

    _fields_ = (("bytes", c_int64), ("ties", c_uint64))


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "call_key": CallKey,
    "call": Call,
    "held": HeldRecord,
    "pending": Pending,
    "hold_from": HoldFrom,
    "tally": Tally,
    "enforcing": Enforcing,
    "lock_state": LockState,
    "lock_workload": LockWorkload,
    "object": Object,
    "released": Released,
    "spent": Spent,
}
