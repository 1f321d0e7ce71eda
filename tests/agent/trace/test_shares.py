import ctypes

from chaperone.agent.groups.layout import GroupKind
from chaperone.agent.trace.layout import Head, Kind, Taken
from chaperone.agent.trace.shares import Shares


class Kernel:
    """What was stored, by map and slot."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, int, int, int, int]] = []

    def store(self, name: str, value: Taken, key: int) -> None:
        self.stored.append((name, key, value.bytes, value.streams, value.flows))


def took(shares: Shares, kind: int, workload: int, size: int) -> None:
    head = Head(kind=kind, workload=workload)
    shares.took(ctypes.addressof(head), size)


def test_the_kernel_is_told_once_for_all_that_was_taken() -> None:
    kernel = Kernel()
    shares = Shares(kernel)  # type: ignore[arg-type]
    for size in (100, 50):
        took(shares, Kind.BYTES, 3, size)
    took(shares, Kind.EXEC, 4, 7)
    shares.ended(4)
    shares.forgot(4)
    shares.forgot(4)
    assert kernel.stored == []
    shares.tell()
    shares.tell()
    assert sorted(kernel.stored) == [("taken", 3, 150, 0, 0), ("taken", 4, 7, 1, 2)]
    took(shares, Kind.LOST, 3, 1)
    shares.tell()
    assert kernel.stored[-1] == ("taken", 3, 151, 0, 0)


def test_what_the_kernel_does_not_count_is_not_counted() -> None:
    kernel = Kernel()
    shares = Shares(kernel)  # type: ignore[arg-type]
    took(shares, GroupKind.ENTERED, 3, 100)
    took(shares, 99, 3, 100)
    shares.tell()
    assert kernel.stored == []
