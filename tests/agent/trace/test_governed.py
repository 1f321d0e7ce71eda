"""Slots and epochs, against a kernel that only remembers what it was told."""

import ctypes
from pathlib import Path

import pytest

from chaperone.agent.trace.governed import SLOTS, GovernedCgroups
from chaperone.agent.trace.layout import Governed


class FakeKernel:
    """`told`: (epoch, highest slot) each time; `cgroups`: the slots in use."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self.cgroups: set[int] = set()

    def store(self, name: str, value: ctypes.Structure | ctypes.c_uint32, key: int = 0) -> None:
        if isinstance(value, Governed):
            self.told.append((value.epoch, value.slots))
        else:
            self.cgroups.add(key)

    def remove(self, name: str, key: int) -> None:
        self.cgroups.discard(key)


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def governed(kernel: FakeKernel) -> GovernedCgroups:
    return GovernedCgroups(kernel)  # type: ignore[arg-type]


def test_each_change_begins_an_epoch(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    assert [governed.add(tmp_path), governed.add(tmp_path)] == [1, 2]
    governed.remove(2)
    governed.remove(1)
    assert kernel.told == [(1, 1), (2, 2), (3, 1), (4, 0)]
    assert kernel.cgroups == set()


def test_a_slot_that_was_given_back_is_given_again(governed: GovernedCgroups, tmp_path: Path) -> None:
    assert [governed.add(tmp_path) for _ in range(3)] == [1, 2, 3]
    governed.remove(2)
    assert governed.add(tmp_path) == 2


def test_there_are_sixty_four(governed: GovernedCgroups, tmp_path: Path) -> None:
    for _ in range(SLOTS):
        governed.add(tmp_path)
    with pytest.raises(OSError, match="64 cgroups are governed already"):
        governed.add(tmp_path)


def test_what_is_no_directory_is_no_cgroup(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        governed.add(tmp_path / "absent")
    assert kernel.told == []
