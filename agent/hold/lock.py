"""The kernel's second lock (bpf/lock.c): of an enforced workload's TLS what was let go leaves, and without us what onFailure says.

Attached without a link, so that it outlives us; a later agent puts its own one on the cgroup, beating, and then takes ours off. `unlock`
is for whoever removes agents for good.
"""

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from chaperone.agent.gate.maps import bpf
from chaperone.agent.hold.layout import LockState, LockWorkload
from chaperone.agent.trace.governed import group_id, opened
from chaperone.agent.trace.kernel import Kernel

BEAT_NS = 500_000_000
NAME, NEXT = b"lock_egress", "lock_more"
EGRESS, ALLOW_MULTI = 1, 2  # BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI
PROG_ATTACH, PROG_DETACH, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY = 8, 9, 13, 15, 16
QUERIED = 64  # a cgroup takes no more programs of a kind
INFO_SIZE, NUMBER_AT, NAME_AT, NAME_SIZE = 128, 4, 64, 16  # struct bpf_prog_info, as far as its name


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
    """One program and one beat for all enforced workloads of an agent. `kernel`: of its tracer."""

    def __init__(self, kernel: Kernel, now: int) -> None:
        self._kernel = kernel
        self._beaten = 0
        self.beat(now)
        self._program = self._kernel.load_cgroup_skb(NAME.decode())
        self._kernel.store("lock_going_on", ctypes.c_uint32(self._kernel.load_cgroup_skb(NEXT)))

    def put_on(self, cgroup: Path, is_strict: bool, covers: bool = False) -> None:
        """Lock a workload; what an earlier agent put on it is taken off. `is_strict`: it says no TLS while we are silent; `covers`: none,
        ever, that no probe tells of. OSError."""
        self._kernel.store("lock_workloads", LockWorkload(is_strict, covers), ctypes.c_uint64(group_id(cgroup)))
        with opened(cgroup) as directory:
            before = list(ours(directory))
            if _number(self._program) in map(_number, before):  # attaching it twice is an error (EINVAL)
                for program in before:
                    os.close(program)
                return
            call_bpf(PROG_ATTACH, directory, self._program, EGRESS, ALLOW_MULTI)
            for program in before:
                detached(directory, program)

    def beat(self, now: int) -> None:
        """We live, at this boot time in ns. Written twice a second at the most."""
        if now - self._beaten < BEAT_NS:
            return
        self._beaten = now
        self._change("beat", now)

    def open(self, until: int) -> None:
        """Let everything pass until this boot time in ns, whether we live or not."""
        self._change("open", until)

    @property
    def dropped(self) -> int:
        """Packets that did not leave."""
        state = self._kernel.entry("lock_state", LockState)
        return int(state.dropped) if state else 0

    def close(self) -> None:
        """Leave the locks where they are, locked at once, and say nothing more."""
        self._change("beat", 0)

    def _change(self, field: str, time: int) -> None:
        state = self._kernel.entry("lock_state", LockState) or LockState()
        setattr(state, field, time)
        self._kernel.store("lock_state", state)


def take_off(cgroup: Path) -> int:
    """Remove every such lock from a cgroup; how many there were. OSError."""
    with opened(cgroup) as directory:
        found = list(ours(directory))
        for program in found:
            detached(directory, program)
    return len(found)


def unlock(cgroups: Iterable[Path]) -> int:
    """Take locks off these cgroups and all below; how many there were. OSError; one that ends meanwhile is unlocked by that."""
    return everywhere(cgroups, take_off)


def everywhere(cgroups: Iterable[Path], do: Callable[[Path], int]) -> int:
    """Do it with these cgroups and all below; the sum. OSError; one below that ends meanwhile counts nothing."""
    count = 0
    for top in cgroups:
        count += do(top)
        for folder, names, _ in os.walk(top):
            for name in names:
                with suppress(FileNotFoundError):
                    count += do(Path(folder, name))
    return count


def ours(directory: int) -> Iterator[int]:
    """Descriptors of our programs on the cgroup itself, whoever put them there; the caller's to close."""
    for number in _attached(directory):
        try:
            program = call_bpf(PROG_GET_FD_BY_ID, number, 0, 0)
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
    return describe(program)[NAME_AT : NAME_AT + NAME_SIZE].partition(b"\0")[0]


def _number(program: int) -> int:
    return int.from_bytes(describe(program)[NUMBER_AT : NUMBER_AT + 4], "little")


def describe(descriptor: int, at: int = 0, wanted: bytes = b"") -> bytes:
    """What the kernel says of a program or map (struct bpf_prog_info, bpf_map_info). `wanted`: what fields from `at` on ask for."""
    info = (ctypes.c_char * INFO_SIZE)()
    ctypes.memmove(ctypes.addressof(info) + at, wanted, len(wanted))
    _call(OBJ_GET_INFO_BY_FD, _Info(descriptor, INFO_SIZE, ctypes.addressof(info)))
    return info.raw


def detached(directory: int, program: int) -> None:
    """Take a program off a cgroup, and close it."""
    try:
        call_bpf(PROG_DETACH, directory, program, EGRESS, 0)
    finally:
        os.close(program)


def call_bpf(command: int, *numbers: int) -> int:
    """bpf(2) with some numbers: what it gives. OSError."""
    return _call(command, (ctypes.c_uint32 * len(numbers))(*numbers))


def _call(command: int, attributes: "ctypes.Structure | ctypes.Array[ctypes.c_uint32]") -> int:
    done = bpf(command, attributes)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command} on a cgroup's lock: {os.strerror(ctypes.get_errno())}")
    return done
