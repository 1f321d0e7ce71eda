"""How much of one workload's plaintext is kept here: what its held calls write or read, what is gathered, what may be written again.

Bounded before a call's bytes are read, so that one workload takes no memory from the others. What is said here is the result of an outcome.
"""

from collections.abc import Collection

from chaperone.agent.hold.lane import Lane
from chaperone.agent.hold.waiting import Waiting
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Stream

BYTES = 64 << 20
CALLS = 1024
TOO_MANY_BYTES = f"no room for more than {BYTES >> 20} MiB of held calls"
TOO_MANY_CALLS = f"no room for more than {CALLS} held calls"


class Room:
    """Of one workload. Bytes and calls at once; `kernel` knows which writes are over."""

    def __init__(self, kernel: Kernel, bytes_: int = BYTES, calls: int = CALLS) -> None:
        self._kernel, self.bytes, self.calls = kernel, bytes_, calls

    def lack(self, size: int, waiting: Collection[Waiting], lanes: Collection[Lane]) -> str:
        """Why one more call of this size cannot be waited for; "" where it can."""
        if len(waiting) >= self.calls:
            return TOO_MANY_CALLS
        held = sum(len(each.data) for each in waiting)
        if held + _kept(lanes) + size <= self.bytes:
            return ""
        self.settle(lanes)
        return TOO_MANY_BYTES if held + _kept(lanes) + size > self.bytes else ""

    def settle(self, lanes: Collection[Lane]) -> None:
        """A write of which all was accepted does not come again."""
        for lane in lanes:
            if lane.passed[1] or lane.unfinished:
                stream = self._kernel.entry("streams", Stream, lane.key)
                lane.accepted(lane.begin + stream.positions[0] if stream else None)


def _kept(lanes: Collection[Lane]) -> int:
    return sum(lane.size for lane in lanes)
