"""The kernel's second lock (bpf/lock.c): where failure means deny, no TLS leaves a workload while no agent lives that could hold it.

Attached without a link, so that it outlives us; a later agent puts its own one on the cgroup, beating, and then takes ours off. `unlock`
is for whoever removes agents for good.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from chaperone.agent.gate.maps import bpf
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.governed import opened
from chaperone.agent.trace.kernel import Kernel

STALE_NS = 3_000_000_000
BEAT_NS = 500_000_000
NAME = b"lock_egress"
EGRESS, ALLOW_MULTI = 1, 2  # BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI
PROG_ATTACH, PROG_DETACH, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY = 8, 9, 13, 15, 16
QUERIED = 64  # a cgroup takes no more programs of a kind
INFO_SIZE, NAME_AT, NAME_SIZE = 128, 64, 16  # struct bpf_prog_info, as far as its name


class State(ctypes.Structure):
    """struct lock_state. `beat`: boot time in ns; `dropped`: packets."""

    _fields_ = (("beat", ctypes.c_uint64), ("dropped", ctypes.c_uint64))


class _Query(ctypes.Structure):
    """union bpf_attr of BPF_PROG_QUERY."""

    _fields_ = (
        ("target", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("ids", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
    )


class _Info(ctypes.Structure):
    """union bpf_attr of BPF_OBJ_GET_INFO_BY_FD."""

    _fields_ = (("descriptor", ctypes.c_uint32), ("size", ctypes.c_uint32), ("info", ctypes.c_uint64))


class Lock:
    """One program and one beat for all workloads of an agent that want it."""

    def __init__(self, now: int) -> None:
        self._kernel = Kernel(flatten("lock.c"), {"LOCK_STALE_NS": STALE_NS})
        self._beaten = 0
        self.beat(now)
        self._program = self._kernel.load_cgroup_skb(NAME.decode())

    def put_on(self, cgroup: Path) -> None:
        """Lock a workload while we are silent; what an earlier agent put on it is taken off. OSError."""
        with opened(cgroup) as directory:
            before = list(_ours(directory))
            _bpf(PROG_ATTACH, directory, self._program, EGRESS, ALLOW_MULTI)
            for program in before:
                _detached(directory, program)

    def beat(self, now: int) -> None:
        """We live, at this boot time in ns. Written twice a second at the most."""
        if now - self._beaten < BEAT_NS:
            return
        self._beaten = now
        state = self._kernel.entry("lock_state", State) or State()
        state.beat = now
        self._kernel.store("lock_state", state)

    @property
    def dropped(self) -> int:
        """Packets that did not leave."""
        state = self._kernel.entry("lock_state", State)
        return int(state.dropped) if state else 0

    def close(self) -> None:
        """Leave the locks where they are, and say nothing more."""
        self._kernel.close()


def take_off(cgroup: Path) -> int:
    """Remove every such lock from a cgroup; how many there were. OSError."""
    with opened(cgroup) as directory:
        found = list(_ours(directory))
        for program in found:
            _detached(directory, program)
    return len(found)


def unlock(cgroups: Iterable[Path]) -> int:
    """Take locks off these cgroups and all below; how many there were. OSError; one that ends meanwhile is unlocked by that."""
    count = 0
    for top in cgroups:
        count += take_off(top)
        for folder, names, _ in os.walk(top):
            for name in names:
                with suppress(FileNotFoundError):
                    count += take_off(Path(folder, name))
    return count


def _ours(directory: int) -> Iterator[int]:
    """Descriptors of our programs on the cgroup itself, whoever put them there; the caller's to close."""
    for number in _attached(directory):
        try:
            program = _bpf(PROG_GET_FD_BY_ID, number, 0, 0)
        except FileNotFoundError:
            continue  # it was just taken off
        if _name(program) == NAME:
            yield program
        else:
            os.close(program)


def _attached(directory: int) -> list[int]:
    numbers = (ctypes.c_uint32 * QUERIED)()
    query = _Query(directory, EGRESS, 0, 0, ctypes.addressof(numbers), QUERIED)
    _call(PROG_QUERY, query)
    return list(numbers[: query.count])


def _name(program: int) -> bytes:
    info = (ctypes.c_char * INFO_SIZE)()
    _call(OBJ_GET_INFO_BY_FD, _Info(program, INFO_SIZE, ctypes.addressof(info)))
    return info.raw[NAME_AT : NAME_AT + NAME_SIZE].partition(b"\0")[0]


def _detached(directory: int, program: int) -> None:
    try:
        _bpf(PROG_DETACH, directory, program, EGRESS, 0)
    finally:
        os.close(program)


def _bpf(command: int, *numbers: int) -> int:
    return _call(command, (ctypes.c_uint32 * len(numbers))(*numbers))


def _call(command: int, attributes: "ctypes.Structure | ctypes.Array[ctypes.c_uint32]") -> int:
    done = bpf(command, attributes)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command} on a cgroup's lock: {os.strerror(ctypes.get_errno())}")
    return done
