"""The agent's end of the process that talks to the API server: it is started, given credentials, heard, and started again.

Credentials are the files of a service account in a pod, which change while we run: they are read again and again, by us, since only
we may be able to. No thread: `step` does what there is to do and never waits.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from chaperone.agent.child import Child
from chaperone.agent.cluster.api import Access
from chaperone.agent.cluster.messages import MESSAGE_LIMIT, Message, Trouble, unpack
from chaperone.agent.ready import readable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILE_LIMIT = 256 << 10
REREAD_S = 10.0
BACKOFF_S = (0.2, 1.0, 5.0, 30.0)
AT_ONCE = 256  # messages in one step
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Where:
    """The API server's address, the folder with `token` and `ca.crt`, and the node whose pods are asked for."""

    host: str
    port: int
    node: str
    account: Path = ACCOUNT


class PodSource:
    """`tell` gets what was told; `begin_again` is called before all is told anew."""

    def __init__(self, where: Where, tell: Callable[[Message], None], begin_again: Callable[[], None]) -> None:
        self.where, self.tell, self.begin_again = where, tell, begin_again
        self.starts = 0
        self._child: Child | None = None
        self._access: Access | None = None
        self._reread = self._start = 0.0

    @property
    def pid(self) -> int:
        """Of its process; 0 if there is none."""
        return self._child.pid if self._child else 0

    def step(self) -> None:
        """What has come since the last time, new credentials, a process that died."""
        now = time.monotonic()
        if self._child is None and now >= self._start:
            self._begin(now)
        if self._child is not None:
            self._hear(self._child.socket)
        if self._child is not None and now >= self._reread:
            self._tell_access(self._child.socket, now)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
        self._child = None

    def _begin(self, now: float) -> None:
        self._start = now + BACKOFF_S[min(self.starts, len(BACKOFF_S) - 1)]
        self.starts += 1
        self._child = Child("chaperone.agent.cluster.watcher", self.where.node)
        self._access, self._reread = None, 0.0
        self.begin_again()

    def _hear(self, ours: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if not readable([ours.fileno()], 0):
                return
            try:
                self._take(ours.recv(MESSAGE_LIMIT + 1))
            except (ValueError, ConnectionError) as error:
                self.close()
                self.tell(Trouble("pods", 0, f"the process that asks the API server ended ({type(error).__name__})"))
                return

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionError
        message = unpack(data)
        if isinstance(message, Trouble) and message.status == UNAUTHORIZED:
            self._reread = 0.0
        self.tell(message)

    def _tell_access(self, ours: socket.socket, now: float) -> None:
        self._reread = now + REREAD_S
        try:
            access = Access(self.where.host, self.where.port, _text(self.where.account / "ca.crt"), _text(self.where.account / "token"))
        except (OSError, ValueError) as error:
            self.tell(Trouble("pods", 0, f"the service account's files can't be read ({type(error).__name__})"))
            return
        if access != self._access:
            with suppress(ConnectionError):
                ours.send(json.dumps(asdict(access)).encode())
            self._access = access


def _text(file: Path) -> str:
    """A small file as it is now. ValueError when it is no text that belongs there."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.read(descriptor, FILE_LIMIT).decode("ascii").strip()
    finally:
        os.close(descriptor)
    if not found:
        raise ValueError("empty")
    return found
