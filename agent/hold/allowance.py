"""How much processor time the thread that traces one workload may take from the others: all of them share one interpreter.

A leaky bucket: what a thread uses is a debt, which shrinks by its share of the time that passes. Beyond a limit it rests until all is
made good.
"""

SHARE = 0.5  # of one processor. Shells that start programs all the time take a tenth; only a flood of signals or forks takes all
PART = 0.5  # of what the agent may take at all: the rest is the others'
REST_NS = 500_000_000
MOST = 2  # REST_NS: what is owed beyond that is forgotten, so that no rest is long
PERCENT = 100


class Allowance:
    """Of one thread."""

    def __init__(self, share: float = SHARE) -> None:
        self.share = share
        self._debt_ns, self._now, self._used = 0.0, 0, 0

    def rest(self, now: int, used: int) -> int:
        """How long to do nothing, from REST_NS to MOST of it; 0: not at all. `now`: of a clock, `used`: of its processor time. In ns."""
        owed_ns = self._debt_ns + used - self._used - self.share * (now - self._now)
        self._debt_ns = min(max(0.0, owed_ns), MOST * self.share * REST_NS)
        self._now, self._used = now, used
        rest_ns = round(self._debt_ns / self.share)
        return rest_ns if rest_ns > REST_NS else 0


def share_of(percent: int) -> float:
    """Of one processor, where the agent may take so much of one; 0: as much as there is."""
    return min(SHARE, PART * percent / PERCENT) if percent else SHARE
