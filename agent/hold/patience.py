"""How long the collector is waited for: not at all when it has not answered several times in a row, but for one hold a second."""

from collections import deque

SECOND = 1_000_000_000
TIMEOUTS, WITHIN_NS = 3, 10 * SECOND
PROBE_NS = SECOND


class Patience:
    """Told of answers and time-outs, in boot-time ns."""

    def __init__(self) -> None:
        self.timeouts: deque[int] = deque(maxlen=TIMEOUTS)
        self._next_probe = 0

    def is_over(self, now: int) -> bool:
        """Whether a new hold is to be decided at once, without the collector."""
        if not self.is_lost(now):
            return False
        if now < self._next_probe:
            return True
        self._next_probe = now + PROBE_NS
        return False

    def is_lost(self, now: int) -> bool:
        """Whether the collector is taken for gone. Each further time-out prolongs that."""
        return len(self.timeouts) == TIMEOUTS and now - self.timeouts[0] <= WITHIN_NS

    def failed(self, now: int) -> None:
        """A hold was not decided in time."""
        self.timeouts.append(now)
        self._next_probe = now + PROBE_NS

    def answered(self) -> None:
        """An order came in time."""
        self.timeouts.clear()
