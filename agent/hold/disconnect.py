"""End a TLS object's connection for both sides: shutdown(2) on the socket itself, through a descriptor of its process.

Which socket that is, the kernel side tells by the first record that leaves on it (bpf/tie.h). Before that it is known only if its
process has exactly one connection that began with a TLS handshake and that no other object has.
"""

import ctypes
import os
import socket
from pathlib import Path
from typing import TypeVar

from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened, SocketTied, SocketValue
from chaperone.proto.records import Direction

LIMIT = 65536
_libc = ctypes.CDLL(None, use_errno=True)
SYS_PIDFD_GETFD = 438
SO_COOKIE = 57
Key = TypeVar("Key")


class Sockets:
    """Which sockets the processes of enforced workloads have, as far as their shutting down asks for it."""

    def __init__(self) -> None:
        self._opened: dict[int, int] = {}  # cookie → pid, of TCP connections that have not begun to speak TLS
        self._untied: dict[int, int] = {}  # of those that have
        self._tied: dict[tuple[int, int], int] = {}  # pid and handle → cookie

    def saw(self, value: SocketValue) -> None:
        """Learn from what the kernel told."""
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

    def shut(self, pid: int, handle: int) -> str:
        """End the object's connection; what there is to say about it."""
        cookies = {self._tied[pid, handle]} if (pid, handle) in self._tied else {c for c, of in self._untied.items() if of == pid}
        if len(cookies) != 1:
            return "its socket is not known"
        try:
            return "" if _shut(pid, cookies.pop()) else "its socket is gone"
        except OSError as error:
            return f"its socket cannot be reached: {error.strerror}"


def _put(table: dict[Key, int], key: Key, value: int) -> None:
    table[key] = value
    if len(table) > LIMIT:
        table.pop(next(iter(table)))


def _shut(pid: int, cookie: int) -> bool:
    process = os.pidfd_open(pid)
    try:
        return any(_is_shut(process, int(link.name), cookie) for link in Path(f"/proc/{pid}/fd").iterdir() if _is_socket(link))
    finally:
        os.close(process)


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except OSError:
        return False


def _is_shut(process: int, number: int, cookie: int) -> bool:
    """Shut one descriptor's socket down if it is the one."""
    copy = _libc.syscall(SYS_PIDFD_GETFD, process, number, 0)
    if copy < 0:
        return False
    with socket.socket(fileno=copy) as found:
        if int.from_bytes(found.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little") != cookie:
            return False
        found.shutdown(socket.SHUT_RDWR)
        return True
