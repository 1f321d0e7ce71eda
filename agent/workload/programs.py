"""Probes for programs nobody named beforehand: at each exec the file itself, then the TLS libraries it maps.

Best effort until the connect gate: a library is mapped some time after the exec, so a young process is looked at again
a few times. Every file is opened once, through the process's own /proc entries, and tried once.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaperone.agent.workload.processes import PROC

LOOKS_S = (0.0, 0.02, 0.1, 0.4, 1.5, 5.0)  # after the exec: a loader takes milliseconds, an interpreter's import seconds
FileKey = tuple[int, int, int]  # device, inode, change of content in ns


class Programs:
    """Attaches to what governed processes run. `attach` takes an open descriptor."""

    def __init__(self, attach: Callable[[int], object]) -> None:
        self.attach = attach
        self.tried: set[FileKey] = set()
        self._looks: list[tuple[float, int]] = []  # when, pid

    def executed(self, pid: int) -> None:
        """A governed process runs another program: probe it now, its libraries as they appear."""
        self._try(PROC / str(pid) / "exe")
        now = time.monotonic()
        self._looks = sorted([*self._looks, *((now + delay, pid) for delay in LOOKS_S)])

    def look(self) -> None:
        """Look again at young processes whose time has come."""
        now = time.monotonic()
        due = {pid for when, pid in self._looks if when <= now}
        self._looks = [look for look in self._looks if look[0] > now]
        for pid in due:
            for mapped in _tls_libraries(pid):
                self._try(mapped)

    def _try(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # the process is gone
            return
        try:
            if (key := _key(descriptor)) not in self.tried:
                self.tried.add(key)
                self.attach(descriptor)
        finally:
            os.close(descriptor)


def _tls_libraries(pid: int) -> Iterator[Path]:
    """The executable mappings whose files are called after TLS, as /proc/PID/map_files entries."""
    folder = PROC / str(pid)
    try:
        lines = (folder / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return
    for row in (line.split(maxsplit=5) for line in lines):
        if len(row) == 6 and "x" in row[1] and "ssl" in row[5].rpartition("/")[2]:
            yield folder / "map_files" / row[0]


def _key(descriptor: int) -> FileKey:
    about = os.fstat(descriptor)
    return about.st_dev, about.st_ino, about.st_mtime_ns
