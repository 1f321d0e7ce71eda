"""Probes in files: which call opens them, and taking them away again.

Kernels from 6.6 on have a link for all places of one program in one file (BPF_TRACE_UPROBE_MULTI, linux/bpf.h); before, each place is
a perf event of its own. The link is cheaper to open (0.1 ms a file against 4), to run through, and to close: a perf event's end waits
for the tracer's RCU under a lock that all others need (0.1 s each, 6.18), a link's end waits beside others.
"""

import ctypes
import errno
import os
from collections.abc import Sequence
from functools import cache

from chaperone.agent.gate.maps import bpf
from chaperone.agent.trace.load import KPROBE, load_program

LINK_CREATE = 28  # since 5.7
UPROBE_MULTI, AT_RETURN = 48, 1  # BPF_TRACE_UPROBE_MULTI, BPF_F_UPROBE_MULTI_RETURN
NOTHING = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit


class _Link(ctypes.Structure):
    """The part of union bpf_attr that makes a link of many uprobes."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("program", "target", "attach_type", "flags")),
        *((name, ctypes.c_uint64) for name in ("path", "offsets", "counters", "cookies")),
        *((name, ctypes.c_uint32) for name in ("count", "probe_flags", "pid", "pad")),
    )


@cache
def has_links() -> bool:
    """Whether this kernel links many uprobes, found out by asking for a link in a folder: EBADF where it would (libbpf asks so)."""
    try:
        program = load_program("nothing", NOTHING, KPROBE, UPROBE_MULTI)
    except OSError:
        return False
    try:
        os.close(link(program, "/", (0,), at_return=False))
    except OSError as error:
        return error.errno == errno.EBADF
    finally:
        os.close(program)
    return True


def link(program: int, path: str, offsets: Sequence[int], at_return: bool) -> int:
    """Run a loaded program at places of a file, or at the returns of the functions there, until the result is closed."""
    name, places = ctypes.create_string_buffer(os.fsencode(path)), (ctypes.c_uint64 * len(offsets))(*offsets)
    addresses = ctypes.addressof(name), ctypes.addressof(places)
    linked = bpf(LINK_CREATE, _Link(program, 0, UPROBE_MULTI, 0, *addresses, 0, 0, len(offsets), AT_RETURN * at_return))
    if linked < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return linked
