"""Takes the probes off files that nobody maps any more: a probe keeps a deleted file's space, and descriptors of ours.

Now and then the governed processes are looked at, one after another, as at their exec: what they have mapped is known to be mapped. A
child that is forked meanwhile is on the next list of processes, and its parent's turn may be over: lists are made until one has nobody
new. All from the gate's thread, so that a look at a new process is before the drop, and counts, or behind it, and attaches again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.processes import started_ns
from chaperone.agent.workload.programs import Programs

PAUSE_S = 3.0
SHARE = 50  # of our time, one part in so many goes into looking for what is to be dropped
LISTS = 20  # with somebody new on each: so many are born that we had better wait

Member = tuple[int, int]  # pid, started


class Sweep:
    """One `step` at a time, when `due_s` says so. `pids`: of the governed processes, now. `dropped`: files, since the start."""

    def __init__(self, files: ProbedFiles, programs: Programs, pids: Callable[[], Iterable[int]]) -> None:
        self.files, self.programs, self.pids = files, programs, pids
        self.dropped = 0
        self._next = time.monotonic() + PAUSE_S
        self._began = self._spent = 0.0
        self._waiting = deque[Member]()
        self._looked_at = set[Member]()
        self._lists = self._failed = 0

    def due_s(self) -> float:
        """Seconds until the next step."""
        return max(0.0, self._next - time.monotonic())

    def step(self) -> None:
        """One look, or one list, or the end."""
        if (now := time.monotonic()) < self._next:
            return
        if not self._began:
            self._begin(now)
        elif self._waiting:
            self.programs.look(Image(*self._waiting.popleft(), -1))
        else:
            self._list()
        self._spent += time.monotonic() - now

    def _begin(self, now: float) -> None:
        self._spent, self._lists, self._failed = 0.0, 0, self.programs.failed
        self._looked_at.clear()
        if self.files.disposable(now):
            self._began = now
        else:
            self._end()

    def _list(self) -> None:
        members = {(pid, started) for pid in self.pids() if (started := started_ns(pid)) is not None}
        self._waiting.extend(members - self._looked_at)
        self._looked_at |= members
        self._lists += 1
        if not self._waiting:
            self._drop()
        if not self._waiting or self._lists >= LISTS:
            self._end()

    def _drop(self) -> None:
        """Unless a look failed: then we do not know what is mapped."""
        for inode in self.files.disposable(self._began) if self.programs.failed == self._failed else ():
            self.files.drop(inode)
            self.dropped += 1

    def _end(self) -> None:
        self._waiting.clear()
        self._began = 0.0
        self._next = time.monotonic() + max(PAUSE_S, SHARE * self._spent)
