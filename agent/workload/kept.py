"""The files that looked-into processes execute code from, kept open: for who asks what a program was when it is gone already.

A process that lives has its files by itself; of one that ended they are let go after LINGER_S, since an open file keeps a volume from
being unmounted. Only handles (O_PATH): nothing is read here. Two threads: one looks into processes, another asks.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chaperone.agent.closing import Closer
from chaperone.agent.trace.files import Identity, identity_of
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.processes import PROC

LINGER_S = 3.0
SWEEP_S = 0.5
PROCESS_LIMIT = 1024  # the one looked into longest ago is let go first
FILE_LIMIT = 512  # open at once
OF_ONE = 64  # files of one process


@dataclass(slots=True)
class _Kept:
    """Of one process. `gone`: since when it is not there; 0: it was at the last sweep."""

    image: Image
    files: dict[Identity, None] = field(default_factory=dict)
    gone: float = 0.0


class KeptFiles:
    """`keep` what a process has mapped, ask with `of`, `sweep` now and then, `close` at the end."""

    def __init__(self, closer: Closer) -> None:
        self._closer = closer
        self._processes: dict[int, _Kept] = {}
        self._files: dict[Identity, int] = {}
        self._lock = threading.Lock()
        self._swept = 0.0

    def keep(self, image: Image, descriptor: int) -> None:
        """One file of a process. What it had mapped when it was another program is forgotten."""
        identity = identity_of(descriptor)
        with self._lock:
            kept = self._of(image)
            if len(kept.files) >= OF_ONE or (identity not in self._files and len(self._files) >= FILE_LIMIT):
                return
            if identity not in self._files:
                self._files[identity] = os.dup(descriptor)
            kept.files[identity] = None

    @contextmanager
    def of(self, pid: int, started: int) -> Iterator[list[int]]:
        """Descriptors of a process's files, until the block ends."""
        with self._lock:
            kept = self._processes.get(pid)
            is_it = kept is not None and kept.image.started in (0, started)
            found = [os.dup(self._files[identity]) for identity in kept.files] if kept and is_it else []
        try:
            yield found
        finally:
            self._closer.close(found)

    def sweep(self) -> None:
        """Let go of what nobody will ask for any more."""
        now = time.monotonic()
        if now - self._swept < SWEEP_S:
            return
        self._swept = now
        with self._lock:
            for pid, kept in list(self._processes.items()):
                kept.gone = 0.0 if (PROC / str(pid)).exists() else kept.gone or now
                if kept.gone and now - kept.gone > LINGER_S:
                    del self._processes[pid]
            self._let_go()

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            self._processes.clear()
            self._let_go()

    def _of(self, image: Image) -> _Kept:
        """A process's entry, as the one looked into last."""
        kept = self._processes.pop(image.pid, None)
        if kept is None or kept.image != image:
            kept = _Kept(image)
        self._processes[image.pid] = kept
        while len(self._processes) > PROCESS_LIMIT:
            del self._processes[next(iter(self._processes))]
        return kept

    def _let_go(self) -> None:
        wanted = {identity for kept in self._processes.values() for identity in kept.files}
        self._closer.close([self._files.pop(identity) for identity in self._files.keys() - wanted])
