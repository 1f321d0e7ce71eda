"""Second locks whose agents may be dead, opened for a while: they close by themselves, or sooner when told so.

A lock is found by its program's name on a cgroup, its beat by the name of one of the program's maps.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from chaperone.agent.gate.maps import Map
from chaperone.agent.hold.layout import LockState
from chaperone.agent.hold.lock import call_bpf, describe, detached, everywhere, ours
from chaperone.agent.trace.governed import opened

MAP_GET_FD_BY_ID = 14
MAPS = 64  # of one program
COUNT_AT, IDS_AT = 52, 56  # struct bpf_prog_info: nr_map_ids, map_ids
NAME, VALUE_SIZE_AT, NAME_AT, NAME_SIZE = b"lock_state", 12, 24, 16  # struct bpf_map_info


def open_all(cgroups: Iterable[Path], until: int) -> int:
    """Let everything pass below these cgroups until this boot time in ns (0: no more); how many locks there were. OSError."""
    return everywhere(cgroups, lambda cgroup: _open(cgroup, until))


def _open(cgroup: Path, until: int) -> int:
    count = 0
    with opened(cgroup) as directory:
        for program in ours(directory):
            count += 1
            states = list(_states(program))
            for state in states:
                _set(state, until)
            if not states and until:  # of an agent that knew nothing of this
                detached(directory, program)
            else:
                os.close(program)
    return count


def _set(descriptor: int, until: int) -> None:
    try:
        states = Map(descriptor, ctypes.c_uint32, LockState)  # type: ignore[type-var]
        state = states.get(ctypes.c_uint32(0)) or LockState()
        state.open = until
        states.put(ctypes.c_uint32(0), state)
    finally:
        os.close(descriptor)


def _states(program: int) -> Iterator[int]:
    """Descriptors of the maps with its state, as we know it; the caller's to close."""
    for number in _map_ids(program):
        with suppress(FileNotFoundError):
            descriptor = call_bpf(MAP_GET_FD_BY_ID, number, 0, 0)
            raw = describe(descriptor)
            name = raw[NAME_AT : NAME_AT + NAME_SIZE].partition(b"\0")[0]
            if name == NAME and int.from_bytes(raw[VALUE_SIZE_AT : VALUE_SIZE_AT + 4], "little") == ctypes.sizeof(LockState):
                yield descriptor
            else:
                os.close(descriptor)


def _map_ids(program: int) -> list[int]:
    numbers = (ctypes.c_uint32 * MAPS)()
    wanted = MAPS.to_bytes(4, "little") + ctypes.addressof(numbers).to_bytes(8, "little")
    raw = describe(program, COUNT_AT, wanted)
    return list(numbers[: min(MAPS, int.from_bytes(raw[COUNT_AT : COUNT_AT + 4], "little"))])
