"""What live kernel tests share: a cgroup per test, programs run inside it, and what the tracer said about them.

A test that needs the kernel is marked `@pytest.mark.kernel`; where BPF cannot be loaded it is skipped with the missing
thing named, or fails if CHAPERONE_KERNEL_TESTS=require.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from support.required import missing

from chaperone.agent.trace.requirements import problems
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Tls, TlsBytes, TlsLost, Value
from chaperone.proto.records import Direction

Kind = TypeVar("Kind")


def skip_without_kernel() -> None:
    """Skip the running test, or fail it, if this machine cannot be recorded."""
    if found := problems():
        missing("; ".join(f"{problem.what} ({problem.fix})" for problem in found))


def unified_hierarchy() -> Path:
    """Where cgroup v2 is mounted."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next(Path(fields[1]) for fields in mounts if fields[2] == "cgroup2")


@contextmanager
def cgroup(below: Path | None = None, name: str = "chaperone-test") -> Iterator[Path]:
    """A cgroup of its own; whatever still runs in it at the end is killed."""
    path = (below or unified_hierarchy()) / f"{name}-{os.getpid()}-{time.monotonic_ns()}"
    path.mkdir()
    try:
        yield path
    finally:
        _empty(path)
        path.rmdir()


def _empty(path: Path) -> None:
    deadline = time.monotonic() + 60
    while pids := (path / "cgroup.procs").read_text().split():
        for pid in pids:
            subprocess.run(["kill", "-9", pid], check=False, stderr=subprocess.DEVNULL)
        assert time.monotonic() < deadline, f"{path} does not become empty"
        time.sleep(0.01)


@dataclass
class Seen:
    """What the tracer said during one test."""

    values: list[Value] = field(default_factory=list)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The values of one kind."""
        return [value for value in self.values if isinstance(value, kind)]

    def objects(self) -> list[Tls]:
        """The TLS objects, in the order in which they appeared."""
        return list(dict.fromkeys(value.tls for value in self.values if isinstance(value, TlsBytes | TlsLost)))

    def plaintext(self, tls: Tls, direction: Direction) -> bytes:
        """One direction of an object; AssertionError if a byte is missing or comes twice."""
        data = b""
        for chunk in self.of(TlsBytes):
            if (chunk.tls, chunk.direction) == (tls, direction):
                assert chunk.position == len(data), f"{chunk.position} follows {len(data)}"
                data += chunk.data
        return data

    def conversations(self) -> list[tuple[bytes, bytes]]:
        """(OUT, IN) of each TLS object."""
        return [(self.plaintext(tls, Direction.OUT), self.plaintext(tls, Direction.IN)) for tls in self.objects()]


def entering(cgroup: Path) -> list[str]:
    """The beginning of a command line that is in this cgroup before its program begins."""
    return ["/bin/sh", "-c", 'echo 0 > "$0"/cgroup.procs && exec "$@"', str(cgroup)]


@dataclass
class Workload:
    """A governed cgroup and the tracer that watches it."""

    tracer: Tracer
    path: Path

    def start(self, argv: Sequence[str | Path], path: Path | None = None, **options: object) -> subprocess.Popen[bytes]:
        """Run a program that is in the cgroup (or another one) from its first instruction. Not on the terminal of whoever runs
        the tests, if there is one: nobody is stopped there (bpf/gate.h)."""
        options.setdefault("start_new_session", True)
        command = [*entering(path or self.path), *map(str, argv)]
        return subprocess.Popen(command, **options)  # type: ignore[call-overload,no-any-return]

    def run(self, argv: Sequence[str | Path], path: Path | None = None, timeout: float = 60, **options: object) -> Seen:
        """Run a program to its end (status 0) and return all that was seen of it."""
        process, seen, deadline = self.start(argv, path, **options), Seen(), time.monotonic() + timeout
        while process.poll() is None:
            seen.values += self.tracer.poll(20)
            assert time.monotonic() < deadline, f"{argv} does not end"
        assert process.returncode == 0, f"{argv} ended with {process.returncode}"
        return self.rest(seen)

    def rest(self, seen: Seen | None = None) -> Seen:
        """What is still in the ring, after it."""
        seen = seen or Seen()
        while more := self.tracer.poll(30):
            seen.values += more
        return seen


@contextmanager
def governed(tracer: Tracer) -> Iterator[Workload]:
    """A workload for one test."""
    with cgroup() as path:
        number = tracer.govern(path)
        try:
            yield Workload(tracer, path)
        finally:
            tracer.release(number)
