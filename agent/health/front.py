"""The agent's end of the process that answers how we are (port.py): it is started, told, started again when it ends or when our
certificate was renewed. Certificates are read by us, since only we may be able to. No thread: `step` never waits.
"""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chaperone.agent.child import Child
from chaperone.agent.deliver.line import AUTHORITY, CERTIFICATE, KEY
from chaperone.agent.health.certificate import in_memory
from chaperone.agent.health.report import Report
from chaperone.proto.port import listening_at

TELL_S = 1.0
REREAD_S = 10.0
AGAIN_S = 5.0  # between starts
Files = tuple[bytes, bytes]  # our certificate with its key, the authority's
State = tuple[bool, bool]  # whether we are ready, and alive


class Front:
    """`tls`: the folder with tls.crt, tls.key and ca.crt; `log` gets what is wrong with it, once. OSError where nobody can listen there."""

    def __init__(self, address: tuple[str, int], tls: Path, log: Callable[[str], None]) -> None:
        self.tls, self.log = tls, log
        self.listening = listening_at(address)
        self._files: Files | None = None
        self._child: Child | None = None
        self._told: State | None = None
        self._tell = self._reread = self._start = 0.0
        self._trouble = ""
        self._over = False

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listening.getsockname()[1])

    @property
    def pid(self) -> int:
        """Of its process; 0 if there is none."""
        return self._child.pid if self._child else 0

    def step(self, state: State, report: Callable[[], Report]) -> None:
        """Tell how we are, as often as is needed to be believed and when `state` is another one. Only then `report` is asked."""
        now = time.monotonic()
        if now >= self._reread and not self._over:
            self._reread = now + REREAD_S
            self._read()
        if self._child is None and self._files is not None and now >= self._start and not self._over:
            self._begin(self._files, now)
        if self._child is not None and (state != self._told or now >= self._tell):
            self._say(self._child.socket, report(), now)
            self._told = state

    def close(self) -> None:
        """Nobody answers any more."""
        self._over = True
        self._end()
        self.listening.close()

    def _read(self) -> None:
        files, trouble = self._files, ""
        try:
            files = (_content(self.tls / CERTIFICATE) + _content(self.tls / KEY), _content(self.tls / AUTHORITY))
        except OSError as error:
            trouble = f"nobody is told how we are: {error.filename}: {error.strerror}"
        if trouble and trouble != self._trouble:
            self.log(trouble)
        if files != self._files:
            self._end()
        self._files, self._trouble = files, trouble

    def _begin(self, files: Files, now: float) -> None:
        self._start, self._told = now + AGAIN_S, None
        descriptors = [os.dup(self.listening.fileno()), *map(in_memory, files)]
        self._child = Child("chaperone.agent.health.port", *map(str, descriptors), descriptors=descriptors)
        self._child.socket.setblocking(False)
        for descriptor in descriptors:
            os.close(descriptor)

    def _say(self, ours: socket.socket, report: Report, now: float) -> None:
        try:
            with suppress(BlockingIOError):  # it is slow; it will hear the next one
                ours.send(report.packed())
            self._tell = now + TELL_S
        except ConnectionError:
            self._end()

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child = None


def _content(file: Path) -> bytes:
    return file.read_bytes().rstrip() + b"\n"
