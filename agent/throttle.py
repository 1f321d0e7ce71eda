"""How much of a processor the agent may take: beyond it, it rests, and the kernel's ring fills.

A ring that fills is divided among the workloads (bpf/copy.h): who floods us loses its own, with size and cause, and nobody else does.
To be throttled by a cgroup would stop the process at the connect gate too, and all who wait there; only what copies plaintext rests
here. Processes of ours that look into files are not counted: each is asked for one file at a time.
"""

import time
from collections.abc import Callable

BURST_S = 1.0  # of processor time that may be saved up
REST_S = 0.5  # the most at once: somebody may wait for us
PERCENT = 100


class Throttle:
    """`percent` of one processor; 0: as much as there is."""

    def __init__(
        self,
        percent: int,
        used: Callable[[], float] = time.process_time,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.share = percent / PERCENT
        self.used, self.now, self.sleep = used, now, sleep
        self._saved, self._used, self._at = BURST_S, used(), now()

    def rest(self) -> None:
        """Between two pieces of work."""
        if self.share and (debt := -self._settle()) > 0:
            self.sleep(min(REST_S, debt / self.share))

    def _settle(self) -> float:
        """Processor time that we may use now; negative: what we used too much."""
        used, now = self.used(), self.now()
        self._saved = min(BURST_S, self._saved + (now - self._at) * self.share) - (used - self._used)
        self._used, self._at = used, now
        return self._saved
