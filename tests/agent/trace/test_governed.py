"""Numbers and decisions, against a kernel that only remembers what it was told, and folders for cgroups."""

import ctypes
from pathlib import Path

import pytest

from chaperone.agent.groups.layout import AREA, IGNORED, Group, GroupKey
from chaperone.agent.trace.governed import SLOTS, SPARE, GovernedCgroups, group_id
from chaperone.agent.trace.layout import Governed, Number


class FakeKernel:
    """`groups` and `claimed` as the maps; `count`: how many are governed."""

    def __init__(self) -> None:
        self.groups: dict[int, tuple[int, int]] = {}
        self.claimed: dict[int, int] = {}
        self.spare: list[int] = []
        self.count = 0

    def store(self, name: str, value: ctypes.Structure, key: GroupKey | int = 0) -> None:
        if isinstance(value, Governed):
            self.count = value.count
        elif isinstance(value, Group) and isinstance(key, GroupKey):
            self.groups[key.id] = (value.slot, value.is_top)

    def entry(self, name: str, mirror: type[Group], key: GroupKey) -> Group | None:
        found = self.groups.get(key.id)
        return Group(*found) if found else None

    def entries(self, name: str, key: type[GroupKey]) -> list[GroupKey]:
        return [GroupKey(id_) for id_ in self.groups]

    def insert(self, name: str, value: Number, key: GroupKey) -> bool:
        return self.claimed.setdefault(key.id, value.value) == value.value

    def push(self, name: str, value: Number) -> None:
        self.spare.append(value.value)

    def remove(self, name: str, key: GroupKey) -> None:
        self.groups.pop(key.id, None)


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def governed(kernel: FakeKernel) -> GovernedCgroups:
    return GovernedCgroups(kernel)  # type: ignore[arg-type]


def folders(top: Path, *names: str) -> list[Path]:
    made = [top / name for name in names]
    for one in made:
        one.mkdir(parents=True)
    return made


def test_one_and_all_below_have_its_number(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    top, below, deep = folders(tmp_path, "top", "top/below", "top/below/deep")
    (other,) = folders(tmp_path, "other")
    assert (governed.add(top), governed.add(other)) == (1, 2)
    assert kernel.groups == {group_id(top): (1, 1), group_id(below): (1, 0), group_id(deep): (1, 0), group_id(other): (2, 1)}
    assert kernel.count == 2
    governed.remove(1, top)
    assert kernel.groups == {group_id(other): (2, 1)}
    assert kernel.count == 1


def test_a_number_that_was_given_back_is_given_out_last(governed: GovernedCgroups, tmp_path: Path) -> None:
    assert [governed.add(tmp_path) for _ in range(3)] == [1, 2, 3]
    governed.remove(2, tmp_path)
    assert governed.add(tmp_path) == 4


def test_there_are_so_many(governed: GovernedCgroups, tmp_path: Path) -> None:
    for _ in range(SLOTS):
        governed.add(tmp_path)
    with pytest.raises(OSError, match="1024 cgroups are governed already"):
        governed.add(tmp_path)


def test_what_is_no_directory_is_no_cgroup(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        governed.add(tmp_path / "absent")
    assert kernel.groups == {} and governed.taken == {}


def test_an_area_leaves_what_was_decided_and_gives_the_kernel_numbers(
    governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path
) -> None:
    area, pod, container = folders(tmp_path, "kubepods", "kubepods/pod", "kubepods/pod/c")
    slot = governed.add(container)
    governed.area(area)
    assert kernel.groups == {group_id(area): (AREA, 1), group_id(pod): (AREA, 0), group_id(container): (slot, 1)}
    assert len(kernel.spare) == SPARE and slot not in kernel.spare
    governed.entered(kernel.spare[0], 77)
    governed.supply()
    assert len(kernel.spare) == SPARE + 1, "as many as were taken"
    assert kernel.count == SLOTS, "nobody is taken for the only one"


def test_who_is_there_already_is_settled_unless_the_kernel_was_first(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    first, second, nested = folders(tmp_path, "a", "b", "b/nested")
    kernel.claimed[group_id(first)] = 999
    assert governed.settle(first) == 0
    slot = governed.settle(second)
    assert kernel.groups == {group_id(second): (slot, 1), group_id(nested): (slot, 0)}
    assert governed.owner(slot) == group_id(second) and governed.owner(slot + 1) == 0


def test_what_is_ignored_is_ignored_with_all_below(governed: GovernedCgroups, kernel: FakeKernel, tmp_path: Path) -> None:
    top, below = folders(tmp_path, "a", "a/b")
    number = governed.add(top)
    governed.ignore(group_id(top), top)
    governed.remove(number)
    governed.ignore(77, tmp_path / "gone")
    governed.ignore(78, below)
    assert kernel.groups == {group_id(top): (IGNORED, 1), group_id(below): (IGNORED, 0)}, "and no other folder's"
