"""Probes in, values out: the one door through which the rest of the agent reaches the kernel."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from chaperone.agent.trace.values import Attached, Lost, NotCovered, Value


@dataclass(frozen=True, slots=True)
class TracerSettings:
    """`ring_pages`: size of the ring buffer in 4 KiB pages, a power of two."""

    ring_pages: int = 8192


class Tracer:
    """Loads the BPF programs; a context manager that removes every probe at the end."""

    def __init__(self, settings: TracerSettings = TracerSettings()) -> None:  # noqa: B008
        self.settings = settings

    def __enter__(self) -> Self:
        """Compile, load, attach the process hooks. OSError when the kernel refuses."""
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove every probe and map."""

    def govern(self, cgroup: str | Path) -> int:
        """Record what runs in this cgroup and all below; returns the workload's number (1 to 64)."""
        raise NotImplementedError

    def release(self, workload: int) -> None:
        """Stop recording what `govern` began."""
        raise NotImplementedError

    def attach(self, file: str | Path | int) -> Attached | NotCovered:
        """Probe the TLS functions of an ELF file, by path or open descriptor (which stays the caller's). Idempotent."""
        raise NotImplementedError

    def poll(self, timeout_ms: int) -> list[Value]:
        """What happened since the last poll, in order; waits up to `timeout_ms` for something."""
        raise NotImplementedError

    def final_positions(self) -> Iterator[Value]:
        """A TlsLost for each direction whose last bytes never came out of the ring, after a last `poll`."""
        raise NotImplementedError

    @property
    def lost(self) -> Lost:
        """The kernel's own counts."""
        raise NotImplementedError
