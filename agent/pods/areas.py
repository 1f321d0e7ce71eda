"""Where the kubelet keeps the cgroups of its pods, and which of them is whose.

The kernel names a cgroup by its path from the root of the hierarchy; what is mounted here may begin further down (in kind, the node is
a container itself). So both are compared from the kubelet's own cgroup on.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaperone.agent.pods.paths import Place, holds_pods, place_of
from chaperone.agent.trace.governed import group_id

PATHS = 65536
DEPTH = 6  # of the kubelet's cgroup below the mount: a node that is a container has it deeper


def areas_below(top: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The cgroups that hold pods, the outermost ones."""
    for folder in _folders(top):
        if holds_pods(folder.name):
            yield folder
        elif depth > 1:
            yield from areas_below(folder, depth - 1)


def folder_of(areas: tuple[Path, ...], path: str) -> Path | None:
    """The folder of a cgroup by the kernel's path of it; None if it is in none of the areas."""
    parts = path.split("/")
    at = next((index for index, part in enumerate(parts) if holds_pods(part)), len(parts))
    found = [area for area in areas if at < len(parts) and area.name == parts[at]]
    candidates = [area.joinpath(*parts[at + 1 :]) for area in found]
    return next((one for one in candidates if one.exists()), candidates[0] if candidates else None)


def place_in(area: Path, folder: Path) -> Place | None:
    """Whose cgroup a folder is."""
    return place_of(f"/{area.name}/{folder.relative_to(area)}")


def top_of(place: Place, folder: Path) -> Path:
    """The container's own cgroup, of one that it is or that is in it."""
    return [one for one in (folder, *folder.parents) if place.container in one.name][-1]


def populated(area: Path) -> Iterator[Path]:
    """The cgroups whose processes belong together, of those that have any: a container's with all below it as one."""
    seen: set[Path] = set()
    for folder in _with_processes(area):
        place = place_in(area, folder)
        top = area.joinpath(*folder.relative_to(area).parts[: place.parts - 1]) if place and place.container else folder
        if top not in seen:
            seen.add(top)
            yield top


def _with_processes(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        if (folder / "cgroup.procs").read_text():
            yield folder
    for below in _folders(folder):
        yield from _with_processes(below)


def _folders(top: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(Path(entry.path) for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False))
    return []


@dataclass(slots=True)
class Atlas:
    """Where each cgroup of the areas below `top` is, by the kernel's number of it. Bounded: who is forgotten is searched for."""

    top: Path
    areas: tuple[Path, ...] = ()
    _paths: dict[int, str] = field(default_factory=dict)

    def look(self) -> list[Path]:
        """The areas that were not there at the last look."""
        before, self.areas = self.areas, tuple(areas_below(self.top))
        return [area for area in self.areas if area not in before]

    def made(self, id_: int, path: str) -> None:
        """The kernel made one."""
        self._paths[id_] = path
        if len(self._paths) > PATHS:
            del self._paths[next(iter(self._paths))]

    def gone(self, id_: int) -> None:
        """The kernel removed one."""
        self._paths.pop(id_, None)

    def find(self, id_: int) -> tuple[Place | None, Path] | None:
        """Whose a cgroup is, and its folder, which may be gone; None if it is in no area."""
        path = self._paths.get(id_)
        folder = folder_of(self.areas, path) if path else next((one for one in self._all() if is_group(one, id_)), None)
        area = next((area for area in self.areas if folder and folder.is_relative_to(area)), None)
        return (place_in(area, folder), folder) if area and folder else None

    def place(self, folder: Path) -> Place | None:
        """Whose cgroup a folder is."""
        return next((place_in(area, folder) for area in self.areas if folder.is_relative_to(area)), None)

    def _all(self) -> Iterator[Path]:
        for area in self.areas:
            yield from (path for path in area.rglob("*") if path.is_dir())


def is_group(folder: Path, id_: int) -> bool:
    """Whether a folder is the cgroup with this number."""
    try:
        return group_id(folder) == id_
    except OSError:
        return False
