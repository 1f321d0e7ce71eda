"""End a TLS object's connection for both sides: shutdown(2) on the socket itself, through a descriptor of its process. Or ask that socket.

Which socket that is, the kernel side tells by the first record that leaves on it (bpf/tie.h). Before that it is known only if its
process has exactly one connection that began with a TLS handshake and that no other object has.
"""

import array
import fcntl
import socket
import threading
from contextlib import suppress
from typing import TypeVar

from chaperone.agent.ending.ends import socket_of
from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened, SocketTied, SocketValue
from chaperone.proto.records import Direction

LIMIT = 65536
SIOCOUTQNSD = 0x894B  # include/uapi/linux/sockios.h, tcp(7)
Key = TypeVar("Key")


class Sockets:
    """Which sockets the processes of enforced workloads have, as far as their shutting down asks for it. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[int, int] = {}  # cookie → pid, of TCP connections that have not begun to speak TLS
        self._untied: dict[int, int] = {}  # of those that have
        self._tied: dict[tuple[int, int], int] = {}  # pid and handle → cookie

    def saw(self, value: SocketValue) -> None:
        """Learn from what the kernel told."""
        with self._lock:
            self._learn(value)

    def shut(self, pid: int, handle: int) -> str:
        """End the object's connection; what there is to say about it."""
        with self._lock:
            cookies = {self._tied[pid, handle]} if (pid, handle) in self._tied else {c for c, of in self._untied.items() if of == pid}
        if len(cookies) != 1:
            return "its socket is not known"
        try:
            return "" if _shut(pid, cookies.pop()) else "its socket is gone"
        except OSError as error:
            return f"its socket cannot be reached: {error.strerror}"

    def queued(self, pid: int, handle: int) -> int | None:
        """Bytes that the object's socket has taken and not sent yet; None where it is not known or not there."""
        with self._lock:
            cookie = self._tied.get((pid, handle))
        with suppress(OSError):
            if cookie is not None and (found := socket_of(pid, cookie)):
                with found:
                    return _unsent(found)
        return None

    def _learn(self, value: SocketValue) -> None:
        match value:
            case SocketOpened(protocol="tcp"):
                _put(self._opened, value.cookie, value.pid)
            case SocketHello(direction=Direction.OUT) if value.cookie in self._opened:
                _put(self._untied, value.cookie, self._opened.pop(value.cookie))
            case SocketTied():
                self._untied.pop(value.cookie, None)
                _put(self._tied, (value.pid, value.handle), value.cookie)
            case SocketClosing():
                self._opened.pop(value.cookie, None)
                self._untied.pop(value.cookie, None)


def _put(table: dict[Key, int], key: Key, value: int) -> None:
    table[key] = value
    if len(table) > LIMIT:
        table.pop(next(iter(table)))


def _unsent(found: socket.socket) -> int:
    """OSError where it is no TCP socket."""
    number = array.array("i", [0])
    fcntl.ioctl(found.fileno(), SIOCOUTQNSD, number)
    return number[0]


def _shut(pid: int, cookie: int) -> bool:
    found = socket_of(pid, cookie)
    if found is None:
        return False
    with found:
        found.shutdown(socket.SHUT_RDWR)
    return True
