"""What is known about one held thread, and what all who deal with it act on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaperone.agent.hold.lane import Lane
from chaperone.agent.hold.orders import Order
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.values import TlsHeld
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Hold, Record


@dataclass(slots=True)
class Waiting:
    """A thread that was told of. `record`: what the collector was asked, None when nobody need be. `is_pending`: it asks somebody else.
    `lack`: why it is not waited for. Then, and where nobody need be asked, `data` is empty."""

    held: TlsHeld
    stream: StreamId
    lane: Lane
    data: bytes
    deadline: int
    record: Hold | None = None
    order: Order | None = None
    is_pending: bool = False
    lack: str = ""

    @property
    def position(self) -> int:
        """Of its first byte in the stream."""
        return self.lane.begin + self.held.position


@dataclass(frozen=True, slots=True)
class World:
    """What holds act on and speak to. `say` and `regret` (a sentence about what cannot be enforced) are called from the seizer's thread;
    `exit_of(pid, ip)`: a RET of a Go function."""

    kernel: Kernel
    say: Callable[[Record], None]
    exit_of: Callable[[int, int], int]
    cgroup: Path
    regret: Callable[[str], None] = lambda _sentence: None
