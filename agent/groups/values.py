"""What the kernel told us about cgroups, as values. `id`: the kernel's, never given out twice in a boot."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupMade:
    """A cgroup was made in an area that holds pods. `path`: from the root of the unified hierarchy."""

    id: int
    path: str
    time: int


@dataclass(frozen=True, slots=True)
class GroupEntered:
    """Somebody was met in a cgroup of an area for the first time: `workload` is the number it has from now on."""

    id: int
    workload: int
    time: int


@dataclass(frozen=True, slots=True)
class GroupGone:
    """A cgroup of an area was removed. `workload`: what number it had; 0: none."""

    id: int
    workload: int
    time: int


GroupValue = GroupMade | GroupEntered | GroupGone
