"""Probes in files: each file once, by the descriptor that was parsed, until nobody maps it any more.

Bounded, since a workload can make files without end: of those without TLS the longest known are forgotten, and looked into again
when they are met; how many may have probes is limited. Which of these are not needed any more, agent/gate/sweep.py finds out.
"""

import errno
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

from chaperone.agent.closing import has_name
from chaperone.agent.probe.apart import Parser, UnansweredError
from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.points import Point
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.values import Attached, NotCovered

Inode = tuple[int, int]  # device, inode
GO_RETURNS = ("on_go_write_return", "on_go_read_return")
Identity = tuple[int, int, int, int]  # device, inode, time of the last change, size
PROBED_LIMIT = 4096  # files with probes
CROWDED = PROBED_LIMIT // 4  # from here on, none keeps its probes only because it may be mapped again
IDLE_S = 600.0  # that a file which has a name keeps its probes while nobody maps it
PLAIN_LIMIT = 8192  # files without TLS that are remembered, and files that could not be read in time
AGAIN_S = 30.0  # until such a one is read again, and twice as long each time: it may be made to take long
TRANSIENT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
FULL = NotCovered(f"{PROBED_LIMIT} files have probes already", refused=True)
UNREAD = NotCovered("reading it failed or took too long", is_for_now=True)
Remembered = TypeVar("Remembered")


@dataclass(slots=True)
class Probed:
    """A file with probes. `file`: opened by path alone, so that we see when it has no name any more; `seen`: when it was last mapped."""

    identity: Identity
    points: tuple[Point, ...]
    found: Attached
    descriptors: list[int]
    file: int
    seen: float = field(default_factory=time.monotonic)


class Delay(NamedTuple):
    """A file that could not be read in time is not read before `until`. `pause`: for how long that is, in seconds."""

    pause: float
    until: float


class ProbedFiles:
    """Which files have probes, and which have nothing to probe."""

    def __init__(self, kernel: Kernel, parser: Parser) -> None:
        self.kernel, self.parser = kernel, parser
        self.probed: dict[Inode, Probed] = {}
        self.plain: dict[Identity, NotCovered] = {}
        self.delayed: dict[Identity, Delay] = {}
        self.probing = threading.Lock()  # the gate's thread attaches too

    def attach(self, file: str | Path | int) -> Attached | NotCovered:
        """Probe a file by path or open descriptor. A file that was looked at before gives the same answer at once."""
        try:
            with _opened(file) as fd, self.probing:
                identity = identity_of(fd)
                return self.known(identity) or self._look(fd, identity)
        except OSError as error:
            return NotCovered(f"cannot open it: {error.strerror}")

    def known(self, identity: Identity) -> Attached | NotCovered | None:
        """What came of a file that somebody has mapped when it was looked at before; None: it was not."""
        probed = self.probed.get(identity[:2])
        if probed is None or probed.identity != identity:
            return self.plain.get(identity)
        probed.seen = time.monotonic()
        return probed.found

    def disposable(self, moment: float) -> list[Inode]:
        """The probed files that need no probes, if it is true that nobody maps them who was not seen to do so since `moment`."""
        with self.probing:
            idle = moment if len(self.probed) > CROWDED else moment - IDLE_S
            return [inode for inode, one in self.probed.items() if one.seen < idle or (one.seen < moment and not has_name(one.file))]

    def drop(self, inode: Inode) -> None:
        """Take the probes off a file; it is looked into again when it is met."""
        with self.probing:
            self._remove(self.probed.pop(inode))

    def exit_of(self, pid: int, ip: int) -> int:
        """The address of a RET of the Go function whose entry probe a process hit at `ip`. LookupError when it is not known."""
        begin, offset, inode = _mapping(pid, ip)
        entry = ip - begin + offset
        with self.probing:
            of_file = [point for one in self.probed.values() if one.identity[1] == inode for point in one.points]
        functions = {point.function for point in of_file if point.offset == entry and point.program not in GO_RETURNS}
        found = [point.offset for point in of_file if point.program in GO_RETURNS and point.function in functions]
        if not found:
            raise LookupError(f"no function of Go's begins at {ip:#x} in process {pid}")
        return ip + found[0] - entry

    def _look(self, fd: int, identity: Identity) -> Attached | NotCovered:
        delay = self.delayed.get(identity, Delay(AGAIN_S / 2, 0))
        if time.monotonic() < delay.until:
            return UNREAD
        self.delayed.pop(identity, None)
        try:
            return self._probe(fd, identity, self.parser.points(fd))
        except UnansweredError:
            pause = 2 * delay.pause
            _remember(self.delayed, identity, Delay(pause, time.monotonic() + pause))
            return UNREAD
        except UnreadableError as error:
            return _remember(self.plain, identity, NotCovered(str(error)))
        except OSError as error:
            is_for_now = error.errno in TRANSIENT
            found = NotCovered(f"the kernel refuses probes: {error.strerror}", refused=True, is_for_now=is_for_now)
            return found if is_for_now else _remember(self.plain, identity, found)

    def _probe(self, fd: int, identity: Identity, wanted: tuple[Point, ...]) -> Attached | NotCovered:
        """A file that was only touched keeps its probes: two at one place would meet each call twice."""
        before = self.probed.get(identity[:2])
        if before and before.points == wanted:
            before.identity = identity
            return before.found
        if len(self.probed) >= PROBED_LIMIT:
            return FULL
        found = Attached(*identity[:2], tuple(dict.fromkeys(point.function for point in wanted)))
        self.probed[identity[:2]] = Probed(identity, wanted, found, *self._attach(wanted, f"/proc/self/fd/{fd}"))
        if before:
            self._remove(before)
        return found

    def _attach(self, wanted: Sequence[Point], path: str) -> tuple[list[int], int]:
        """The probes go to the inode that was parsed, whatever its path means by now: /proc/self/fd leads to it. And that file itself."""
        opened = list[int]()
        try:
            for (program, at_return), points in groupby(wanted, key=lambda point: (point.program, point.at_return)):
                opened += self.kernel.attach_uprobes(program, path, [point.offset for point in points], at_return)
            return opened, os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            self.kernel.detach(opened)
            raise

    def _remove(self, probed: Probed) -> None:
        self.kernel.detach([*probed.descriptors, probed.file])


def identity_of(fd: int) -> Identity:
    """What tells a file and its content from others."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _remember(known: dict[Identity, Remembered], identity: Identity, value: Remembered) -> Remembered:
    """Instead of what is known for longest, where there is no room for more."""
    if len(known) >= PLAIN_LIMIT:
        del known[next(iter(known))]
    known[identity] = value
    return value


def _mapping(pid: int, address: int) -> tuple[int, int, int]:
    """The mapping that an address lies in: its begin, its offset in the file, the file's inode."""
    for line in Path(f"/proc/{pid}/maps").read_bytes().splitlines():
        fields = line.split(maxsplit=5)
        begin, end = (int(part, 16) for part in fields[0].split(b"-"))
        if begin <= address < end:
            return begin, int(fields[2], 16), int(fields[4])
    raise LookupError(f"no mapping at {address:#x} in process {pid}")


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
