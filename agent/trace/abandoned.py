"""TLS calls that never return, since their process ended inside them: taken out of the kernel's table once a workload has many there."""

from pathlib import Path

from chaperone.agent.hold.layout import Call, CallKey
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Counters
from chaperone.agent.trace.shares import Shares

MANY = 4096  # of one workload: an eighth of what it may have (bpf/account.h)
PAUSE_S = 10.0  # between two walks through the table: a full one takes a fifth of a second
STATE = b") Z "  # in /proc/PID/stat, behind the name


class Abandoned:
    """`saw_end` when a process has ended, `step` now and then."""

    def __init__(self, kernel: Kernel, shares: Shares) -> None:
        self.kernel, self.shares = kernel, shares
        self._is_due, self._last = False, -PAUSE_S

    def saw_end(self, workload: int) -> None:
        """A process of this workload has ended: what it left is to be taken out if there may be much."""
        self._is_due = self._is_due or self._under_way(workload) >= MANY

    def step(self, now_s: float) -> None:
        """Take out what is left of ended processes, if that is due."""
        if self._is_due and now_s - self._last >= PAUSE_S:
            self._is_due, self._last = False, now_s
            self._sweep()

    def forget(self, workload: int) -> None:
        """Its number will be another's, who begins with an empty table."""
        if self._under_way(workload):
            self._sweep()

    def _under_way(self, workload: int) -> int:
        raw = self.kernel.entry("counters", Counters, workload) or Counters()
        return int(raw.entered - raw.returned) - self.shares.calls_of(workload)

    def _sweep(self) -> None:
        living = dict[int, bool]()
        for key in self.kernel.entries("calls", CallKey):
            if key.pid not in living:
                living[key.pid] = _is_living(key.pid)
            if living[key.pid]:
                continue
            call = self.kernel.entry("calls", Call, key)
            if call and self.kernel.remove("calls", key):
                self.shares.abandoned(call.slot)


def _is_living(pid: int) -> bool:
    """Not where all that is left of it is for its parent to ask about."""
    try:
        threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
        return threads > 1 or STATE not in Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
