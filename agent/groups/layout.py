"""The mirror of bpf/group_event.h, as agent/trace/layout.py is that of event.h. A test compiles it against the C file.

struct group      { __u32 slot, is_top; };
struct group_seen { struct head head; __u64 id; };
struct group_made { struct group_seen seen; char path[GROUP_PATH_LIMIT]; };
"""

import ctypes
from ctypes import c_uint8, c_uint32, c_uint64
from enum import IntEnum

from chaperone.agent.trace.layout import Head

GROUP_PATH_LIMIT = 1024
AREA, IGNORED = 0xFFFE, 0xFFFF


class GroupKind(IntEnum):
    """`head.kind`."""

    MADE = 64
    ENTERED = 65
    GONE = 66


class GroupKey(ctypes.Structure):
    """A cgroup's id, as the maps have it."""

    _fields_ = (("id", c_uint64),)


class Group(ctypes.Structure):
    """`struct group`."""

    _fields_ = (("slot", c_uint32), ("is_top", c_uint32))


class SeenRecord(ctypes.Structure):
    """`struct group_seen`."""

    _fields_ = (("head", Head), ("id", c_uint64))


class MadeRecord(ctypes.Structure):
    """`struct group_made`."""

    _fields_ = (("seen", SeenRecord), ("path", c_uint8 * GROUP_PATH_LIMIT))


MIRRORS: dict[str, type[ctypes.Structure]] = {
    "group": Group,
    "group_seen": SeenRecord,
    "group_made": MadeRecord,
}
