"""Probes in files: each file once, by the descriptor that was parsed."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaperone.agent.probe.apart import Parser
from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.points import Point
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.values import Attached, NotCovered

Identity = tuple[int, int, int, int]  # device, inode, time of the last change, size


class ProbedFiles:
    """Which files have probes, and which have nothing to probe."""

    def __init__(self, kernel: Kernel, parser: Parser) -> None:
        self.kernel, self.parser = kernel, parser
        self.known: dict[Identity, Attached | NotCovered] = {}
        self.probing = threading.Lock()  # the gate's thread attaches too

    def attach(self, file: str | Path | int) -> Attached | NotCovered:
        """Probe a file by path or open descriptor. A file that was looked at before gives the same answer at once."""
        try:
            with _opened(file) as fd, self.probing:
                identity = _identity(fd)
                if identity not in self.known:
                    self.known[identity] = self._probe(fd)
                return self.known[identity]
        except OSError as error:
            return NotCovered(f"cannot open it: {error.strerror}")

    def _probe(self, fd: int) -> Attached | NotCovered:
        """The probes go to the inode that was parsed, whatever its path means by now: /proc/self/fd leads to it."""
        try:
            wanted = self.parser.points(fd)
            for point in wanted:
                self._attach(point, f"/proc/self/fd/{fd}")
        except UnreadableError as error:
            return NotCovered(str(error))
        except OSError as error:
            return NotCovered(f"the kernel refuses probes: {error.strerror}", refused=True)
        status = os.fstat(fd)
        return Attached(status.st_dev, status.st_ino, tuple(dict.fromkeys(point.function for point in wanted)))

    def _attach(self, point: Point, path: str) -> None:
        self.kernel.attach_uprobe(point.program, path, point.offset, point.at_return)


@contextmanager
def _opened(file: str | Path | int) -> Iterator[int]:
    """A descriptor of `file`; one that we were given stays open. Not blocking: a path may lead to a pipe."""
    if isinstance(file, int):
        yield file
        return
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def _identity(fd: int) -> Identity:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
