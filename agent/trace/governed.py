"""Which cgroups are governed, by the kernel's number of each; bpf/filter.h and groups.c read what is written here.

A cgroup is decided about together with all below it, from the top down: what is made below meanwhile begins with what is around it
(bpf/groups.c), and what was there before is found. In an area whoever is met in a cgroup makes the kernel take a number for
it from `spare`; those that are there already get theirs by `settle`.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaperone.agent.groups.layout import AREA, IGNORED, Group, GroupKey
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Governed, Number

SLOTS = 1024
SPARE = 512


class GovernedCgroups:
    """The writer of the kernel's `groups` and `governed`, and who fills `spare`. `taken`: by number, the cgroup's id."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.taken: dict[int, int] = {}
        self.has_area = False
        self._free = deque(range(1, SLOTS + 1))
        self._spare: set[int] = set()  # given to the kernel, and not known to be taken yet

    def add(self, cgroup: str | Path) -> int:
        """Govern a cgroup and all below; its slot. OSError when it is none or too many are governed already."""
        slot = self._next()
        try:
            self.taken[slot] = group_id(cgroup)
            self._mark(Path(cgroup), slot)
        except OSError:
            self.taken.pop(slot, None)
            self._free.append(slot)
            raise
        self._announce()
        return slot

    def remove(self, slot: int, cgroup: str | Path | None = None) -> None:
        """Govern it no more. Its number is given out again after all others."""
        if self.taken.pop(slot, None) is not None:
            self._free.append(slot)
        if cgroup is not None:
            self._unmark(Path(cgroup))
        self._announce()

    def ignore(self, id_: int, cgroup: Path) -> None:
        """One in an area that is not governed, by its id; and all below, if that is its folder."""
        if self.kernel.entry("groups", Group, GroupKey(id_)) is not None:
            self.kernel.store("groups", Group(IGNORED, 1), GroupKey(id_))
        with suppress(OSError):
            if group_id(cgroup) == id_:
                self._mark(cgroup, IGNORED)

    def area(self, cgroup: Path) -> None:
        """Give each cgroup in it that has processes, now or later, a number of its own."""
        self.has_area = True
        self._announce()
        self.supply()
        self._mark(cgroup, AREA, keep=True)

    def settle(self, cgroup: Path, is_known: bool = False) -> int:
        """A number for a cgroup of an area that has processes already; 0: the kernel has given it one. `is_known`: it was ignored."""
        slot, id_ = self._next(), group_id(cgroup)
        if not is_known and not self.kernel.insert("claimed", Number(slot), GroupKey(id_)):
            self._free.appendleft(slot)
            return 0
        self.taken[slot] = id_
        self._mark(cgroup, slot)
        return slot

    def entered(self, slot: int, id_: int) -> None:
        """The kernel has given out a number."""
        self._spare.discard(slot)
        self.taken[slot] = id_

    def supply(self) -> None:
        """Let the kernel have some more."""
        while len(self._spare) < SPARE and self._free:
            self.kernel.push("spare", Number(slot := self._free.popleft()))
            self._spare.add(slot)

    def owner(self, slot: int) -> int:
        """The id of the cgroup that has a number, as the kernel has it; 0: none has."""
        for key in self.kernel.entries("groups", GroupKey):
            group = self.kernel.entry("groups", Group, key)
            if group is not None and group.slot == slot and group.is_top:
                return int(key.id)
        return 0

    def _next(self) -> int:
        if not self._free:
            raise OSError(f"{SLOTS} cgroups are governed already, the most that one agent can")
        return self._free.popleft()

    def _mark(self, top: Path, slot: int, keep: bool = False) -> None:
        """`keep`: leave what was decided about already."""
        for folder in _downwards(top):
            key = GroupKey(group_id(folder))
            if not keep or self.kernel.entry("groups", Group, key) is None:
                self.kernel.store("groups", Group(slot, folder == top), key)

    def _unmark(self, top: Path) -> None:
        with suppress(FileNotFoundError):
            for folder in _downwards(top):
                self.kernel.remove("groups", GroupKey(group_id(folder)))

    def _announce(self) -> None:
        self.kernel.store("governed", Governed(SLOTS if self.has_area else len(self.taken)))


def group_id(cgroup: str | Path) -> int:
    """The kernel's number of a cgroup: its inode. OSError when it is no directory."""
    with opened(cgroup) as descriptor:
        return os.fstat(descriptor).st_ino


@contextmanager
def opened(cgroup: str | Path) -> Iterator[int]:
    """Its directory, as the kernel takes it for the cgroup. OSError when it is none."""
    descriptor = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _downwards(top: Path) -> Iterator[Path]:
    """A cgroup, then those below it: each is given out before what it holds is read. FileNotFoundError if there is none at the top."""
    yield top
    with suppress(FileNotFoundError):
        for entry in os.scandir(top):
            if entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield from _downwards(Path(entry.path))
