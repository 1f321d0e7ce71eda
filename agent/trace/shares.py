"""What user space has taken out of the kernel's ring and its tables of streams, flows and calls, by workload: each is bounded by it."""

from collections import defaultdict

from chaperone.agent.sockets.layout import SocketKind
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Head, Kind, Taken

COUNTED = frozenset({*Kind, *SocketKind})  # as the kernel counts; not what is told of cgroups


class Shares:
    """The only writer of the kernel's `taken`."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._taken: defaultdict[int, Taken] = defaultdict(Taken)
        self._changed: set[int] = set()

    def took(self, address: int, size: int) -> None:
        """A record came out of the ring; it is still at `address`."""
        head = Head.from_address(address)
        if head.kind in COUNTED:
            self._of(head.workload).bytes += size

    def ended(self, workload: int) -> None:
        """A stream was taken out of the table."""
        self._of(workload).streams += 1

    def forgot(self, workload: int) -> None:
        """A direction of a connection was taken out of the table."""
        self._of(workload).flows += 1

    def abandoned(self, workload: int) -> None:
        """A call was taken out of the table that will not return."""
        self._of(workload).calls += 1

    def calls_of(self, workload: int) -> int:
        """How many such calls there were."""
        return int(self._taken[workload].calls)

    def flows_of(self, workload: int) -> int:
        """How many such directions there were."""
        return int(self._taken[workload].flows)

    def tell(self) -> None:
        """Let the kernel know, once for all that was taken."""
        for workload in self._changed:
            self.kernel.store("taken", self._taken[workload], workload)
        self._changed.clear()

    def _of(self, workload: int) -> Taken:
        self._changed.add(workload)
        return self._taken[workload]
