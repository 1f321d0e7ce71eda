"""Probes for programs nobody named beforehand: at each exec the file itself, then the TLS libraries it maps.

Best effort until the connect gate: a library is mapped some time after the exec, so a young process is looked at again
a few times. Every file is opened once, through the process's own /proc entries, and tried once.

Bounded, since a workload can start programs and make files without end: what is not looked at any more is counted.
"""

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from chaperone.agent.workload.processes import PROC

LOOKS_S = (0.0, 0.02, 0.1, 0.4, 1.5, 5.0)  # after the exec: a loader takes milliseconds, an interpreter's import seconds
YOUNG_LIMIT = 16384  # processes that are looked at again
TLS_NAMES = (b"ssl", b"gnutls")  # in a library's file name
FILE_LIMIT = 8192  # files that are tried
GONE = (errno.ENOENT, errno.ESRCH)
FileKey = tuple[int, int, int]  # device, inode, change of content in ns


class Programs:
    """Attaches to what governed processes run. `attach` takes an open descriptor. `missed`: what there was no room for."""

    def __init__(self, attach: Callable[[int], object]) -> None:
        self.attach = attach
        self.tried: set[FileKey] = set()
        self.missed = 0
        self._looks: tuple[deque[tuple[float, int]], ...] = tuple(deque() for _ in LOOKS_S)  # of each delay: when, pid

    def executed(self, pid: int) -> None:
        """A governed process runs another program: probe it now, its libraries as they appear."""
        self._try(PROC / str(pid) / "exe")
        if len(self._looks[-1]) >= YOUNG_LIMIT:
            self.missed += 1
            return
        now = time.monotonic()
        for delay, looks in zip(LOOKS_S, self._looks, strict=True):
            looks.append((now + delay, pid))

    def look(self) -> None:
        """Look again at young processes whose time has come."""
        now, due = time.monotonic(), set[int]()
        for looks in self._looks:
            while looks and looks[0][0] <= now:
                due.add(looks.popleft()[1])
        for pid in due:
            for mapped in _tls_libraries(pid):
                self._try(mapped)

    def _try(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            self.missed += error.errno not in GONE
            return
        try:
            self._attach_once(descriptor)
        finally:
            os.close(descriptor)

    def _attach_once(self, descriptor: int) -> None:
        if (key := _key(descriptor)) in self.tried:
            return
        if len(self.tried) >= FILE_LIMIT:
            self.missed += 1
            return
        self.tried.add(key)
        self.attach(descriptor)


def _tls_libraries(pid: int) -> Iterator[Path]:
    """The executable mappings whose files are called after TLS, as /proc/PID/map_files entries.

    As bytes: the kernel escapes line feeds in paths, but not all that ends a line of text.
    """
    folder = PROC / str(pid)
    try:
        lines = (folder / "maps").read_bytes().split(b"\n")
    except OSError:
        return
    for row in (line.split(maxsplit=5) for line in lines):
        if len(row) == 6 and b"x" in row[1] and any(name in row[5].rpartition(b"/")[2] for name in TLS_NAMES):
            yield folder / "map_files" / row[0].decode("ascii")


def _key(descriptor: int) -> FileKey:
    about = os.fstat(descriptor)
    return about.st_dev, about.st_ino, about.st_mtime_ns
