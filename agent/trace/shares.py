"""What user space has taken out of the kernel's ring and its tables of streams, flows and calls, by workload: each is bounded by it."""

from collections import Counter

from chaperone.agent.sockets.layout import SocketKind
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Head, Kind, Taken

COUNTED = frozenset({*Kind, *SocketKind})  # as the kernel counts; not what is told of cgroups


class Shares:
    """The only writer of the kernel's `taken`."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._bytes: Counter[int] = Counter()
        self._streams: Counter[int] = Counter()
        self._flows: Counter[int] = Counter()
        self._calls: Counter[int] = Counter()
        self._changed: set[int] = set()

    def took(self, address: int, size: int) -> None:
        """A record came out of the ring; it is still at `address`."""
        head = Head.from_address(address)
        if head.kind in COUNTED:
            self._bytes[head.workload] += size
            self._changed.add(head.workload)

    def ended(self, workload: int) -> None:
        """A stream was taken out of the table."""
        self._streams[workload] += 1
        self._changed.add(workload)

    def forgot(self, workload: int) -> None:
        """A direction of a connection was taken out of the table."""
        self._flows[workload] += 1
        self._changed.add(workload)

    def abandoned(self, workload: int) -> None:
        """A call was taken out of the table that will not return."""
        self._calls[workload] += 1
        self._changed.add(workload)

    def calls_of(self, workload: int) -> int:
        """How many such calls there were."""
        return self._calls[workload]

    def tell(self) -> None:
        """Let the kernel know, once for all that was taken."""
        for workload in self._changed:
            self.kernel.store("taken", self._taken(workload), workload)
        self._changed.clear()

    def _taken(self, workload: int) -> Taken:
        return Taken(self._bytes[workload], self._streams[workload], self._flows[workload], self._calls[workload])
