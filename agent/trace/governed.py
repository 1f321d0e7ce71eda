"""Which cgroups are governed: slots of a kernel array, numbered from 1. bpf/filter.h reads what is written here."""

import ctypes
import os
from pathlib import Path

from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Governed

SLOTS = 64


class GovernedCgroups:
    """The only writer of the kernel's `cgroups` and `governed`. Each change begins an epoch, which voids all verdicts."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.taken: set[int] = set()
        self.epoch = 0

    def add(self, cgroup: str | Path) -> int:
        """Govern a cgroup and all below; its slot. OSError when it is no cgroup v2 or 64 are governed already."""
        free = next((slot for slot in range(1, SLOTS + 1) if slot not in self.taken), 0)
        if not free:
            raise OSError(f"{SLOTS} cgroups are governed already, the most that one agent can")
        opened = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.kernel.store("cgroups", ctypes.c_uint32(opened), free - 1)
        finally:
            os.close(opened)
        self.taken.add(free)
        self._announce()
        return free

    def remove(self, slot: int) -> None:
        """Govern it no more."""
        self.taken.discard(slot)
        self.kernel.remove("cgroups", slot - 1)
        self._announce()

    def _announce(self) -> None:
        self.epoch += 1
        self.kernel.store("governed", Governed(self.epoch, max(self.taken, default=0), len(self.taken)))
