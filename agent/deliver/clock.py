"""The wall clock against the boot clock: the offset that every batch carries, and that somebody has set the wall clock.

Records have boot times only, so that their order does not depend on the wall clock. CLOCK_BOOTTIME is never set and goes on
while the machine sleeps (clock_gettime(2)); what changes the offset at once is a step of CLOCK_REALTIME.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

STEP_NS = 100_000_000  # less is slewing, which goes a little at a time, or the time that reading two clocks took
TRIES, CLOSE_NS = 5, 20_000


def wall_offset_ns() -> int:
    """Wall clock minus boot clock, now. We may be interrupted between the two: the closest of a few readings counts."""
    readings: list[tuple[int, int]] = []
    while not readings or (min(readings)[0] > CLOSE_NS and len(readings) < TRIES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        took = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        readings.append((took, wall - before - took // 2))
    return min(readings)[1]


@dataclass(slots=True)
class Steps:
    """Notices that the wall clock was set between two looks."""

    offset: Callable[[], int] = wall_offset_ns
    last: int | None = None

    def look(self) -> int:
        """By how many ns it was set since the last look; 0 if it was not."""
        now = self.offset()
        step = now - self.last if self.last is not None else 0
        self.last = now
        return step if abs(step) >= STEP_NS else 0


def sentence(step: int) -> str:
    """A step as a sentence."""
    return f"the wall clock was set {'forward' if step > 0 else 'back'} by {abs(step) / 1e9:.3f} s; the order of what is recorded stays"
