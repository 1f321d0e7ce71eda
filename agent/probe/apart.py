"""Files of workloads are parsed in a process of its own that has no privilege: what goes wrong there cannot hurt the node.

`python -m chaperone.agent.probe.apart` is that process: it gets descriptors of files over its socket (stdin) and answers with
plain data. It has nobody's user, no capability, no network, and limits on memory, files and processes. Its answers are checked
as the workload's own words would be.
"""

import json
import os
import re
import resource
import signal
import socket
import threading
from contextlib import suppress
from functools import cache
from typing import Any

from chaperone.agent.child import Child
from chaperone.agent.confine import confine
from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.points import Point, points
from chaperone.agent.ready import readable
from chaperone.agent.trace.flatten import flatten

DEADLINE_S = 10.0  # for one file
ANSWER_LIMIT = 1 << 16
POINT_LIMIT = 512
TEXT_LIMIT = 200
LIMITS = {
    resource.RLIMIT_AS: 1 << 30,
    resource.RLIMIT_NOFILE: 16,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NPROC: 0,
}


class UnansweredError(UnreadableError):
    """Reading the file failed or took too long: another time it may not."""


class Parser:
    """The other end of that process; started when first needed, and again when it has died or taken too long."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._asking = threading.Lock()

    def start(self) -> None:
        """Have it ready before it is needed."""
        with self._asking:
            self._connected()

    def points(self, fd: int) -> tuple[Point, ...]:
        """As points.points; UnansweredError when that could not be found out."""
        with self._asking:
            answer = self._ask(fd)
        return _checked(answer, os.fstat(fd).st_size)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
        self._child = None

    @property
    def pid(self) -> int:
        """Of the process; 0 if there is none."""
        return self._child.pid if self._child else 0

    def _ask(self, fd: int) -> bytes:
        connection = self._connected()
        try:
            socket.send_fds(connection, [b"\0"], [fd])
            if readable([connection.fileno()], DEADLINE_S) and (answer := connection.recv(ANSWER_LIMIT)):
                return answer
        except ConnectionError:
            pass
        self.close()
        raise UnansweredError(f"reading it failed or took longer than {DEADLINE_S:.0f} s")

    def _connected(self) -> socket.socket:
        if self._child is None or not self._child.is_alive:
            self.close()
            self._child = Child("chaperone.agent.probe.apart")
        return self._child.socket


def _checked(answer: bytes, size: int) -> tuple[Point, ...]:
    """Only probes that we know, at places that the file has."""
    try:
        told: Any = json.loads(answer)
        if isinstance(told, str):
            raise UnreadableError("".join(filter(str.isprintable, told))[:TEXT_LIMIT])
        found = tuple(Point(*one) for one in told)
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError("reading it gave no answer that makes sense") from None
    if len(found) > POINT_LIMIT or not all(_is_known(point, size) for point in found):
        raise UnreadableError("reading it gave probes that cannot be")
    return found


def _is_known(point: Point, size: int) -> bool:
    function, program, offset, at_return = point
    is_typed = type(function) is str and type(program) is str and type(offset) is int and type(at_return) is bool
    return is_typed and program in _programs() and len(function) < TEXT_LIMIT and function.isprintable() and 0 <= offset < size


@cache
def _programs() -> frozenset[str]:
    """The names of all programs that run at probes."""
    return frozenset(re.findall(r"^int (on_\w+)\(struct pt_regs \*", flatten("chaperone.c"), re.MULTILINE))


def main() -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=0)
    confine(LIMITS)
    while asked := _received(connection):
        try:
            answer: object = points(asked[0])
        except UnreadableError as error:
            answer = str(error)
        except (MemoryError, OSError, OverflowError) as error:
            answer = f"reading it failed: {type(error).__name__}"
        finally:
            os.close(asked[0])
        with suppress(ConnectionError):
            connection.send(json.dumps(answer).encode())


def _received(connection: socket.socket) -> list[int]:
    """The descriptor of the next file; [] at the end, also where the agent was killed before it had read an answer."""
    try:
        _data, descriptors, _flags, _address = socket.recv_fds(connection, 1, 1)
    except ConnectionResetError:
        return []
    return descriptors


if __name__ == "__main__":
    main()
