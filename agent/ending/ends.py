"""End a process, all of a cgroup, or a socket, and see that it has ended. Each says "ended", or in a sentence why that is not certain.

A process is held by a pidfd and known by its start, so that no other that got its number is hit. A workload is ended by the kernel at
once where it can (cgroup.kill, Linux 5.14), else process by process until none is left: one that forks faster is stopped by the freezer.
"""

import ctypes
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from chaperone.agent.workload.processes import TICK_NS, members, started_ns

ENDED = "ended"
LIMIT_S = 8.0
STEP_S = 0.02
SYS_PIDFD_GETFD = 438
SO_COOKIE = 57
TCP_STATE = 0  # in struct tcp_info
TCP_ESTABLISHED = 1
_libc = ctypes.CDLL(None, use_errno=True)


def process_ended(pid: int, started: int) -> str:
    """Kill a process and wait for its end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return ENDED
    try:
        if abs((started_ns(pid) or 0) - started) > TICK_NS:  # /proc knows it to a tick
            return ENDED  # the number is another's now
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        gone = select.poll()
        gone.register(descriptor, select.POLLIN)
        return ENDED if gone.poll(LIMIT_S * 1000) else f"it has not ended within {LIMIT_S:g} s of SIGKILL"
    except (ProcessLookupError, FileNotFoundError):
        return ENDED
    finally:
        os.close(descriptor)


def group_ended(cgroup: Path) -> str:
    """Kill everything in a cgroup and in those below, and wait until they are empty."""
    deadline = time.monotonic() + LIMIT_S
    try:
        while pids := members(cgroup):
            if time.monotonic() > deadline:
                return f"{len(pids)} of its processes have not ended within {LIMIT_S:g} s of SIGKILL"
            kill_group(cgroup)
            time.sleep(STEP_S)
    finally:
        _freeze(cgroup, b"0")
    return ENDED


def kill_group(cgroup: Path) -> None:
    """SIGKILL to all that is there, at once where the kernel can; without waiting for their end."""
    if _killed_at_once(cgroup):
        return
    _freeze(cgroup, b"1")
    for pid in members(cgroup):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _freeze(cgroup, b"0")


def socket_ended(pids: Iterable[int], cookie: int) -> str:
    """Shut a TCP socket down for both sides, through whichever of these processes has it."""
    return _done(pids, cookie, _shut)


def socket_reset(pids: Iterable[int], cookie: int) -> str:
    """The same where what it still has to send must not leave: shut down alone, it would say its end behind that."""
    return _done(pids, cookie, _reset)


def _done(pids: Iterable[int], cookie: int, act: Callable[[socket.socket], str]) -> str:
    for pid in pids:
        with suppress(OSError):
            if found := socket_of(pid, cookie):
                with found:
                    return act(found)
    return "no process of its workload has its socket any more"


def _reset(found: socket.socket) -> str:
    """Who waits for it is woken first. connect(2) to AF_UNSPEC dissolves a connection, and says RST."""
    said = _shut(found)
    nowhere = ctypes.create_string_buffer(16)  # struct sockaddr: AF_UNSPEC is 0
    return said if _libc.connect(found.fileno(), nowhere, len(nowhere)) == 0 else f"{said}, but the other side is not told"


def _shut(found: socket.socket) -> str:
    with suppress(OSError):  # it is not connected any more
        found.shutdown(socket.SHUT_RDWR)
    state = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[TCP_STATE]
    return ENDED if state != TCP_ESTABLISHED else "its socket is still connected"


def socket_of(pid: int, cookie: int) -> socket.socket | None:
    """A copy of a process's own, by its cookie. OSError if the process cannot be looked into."""
    for found in _sockets(pid):
        if _cookie(found) == cookie:
            return found
        found.close()
    return None


def tcp_of(pid: int) -> set[int]:
    """The cookies of a process's TCP sockets that have a peer. OSError if it cannot be looked into."""
    cookies = set()
    for found in _sockets(pid):
        with found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM and _has_peer(found):
                cookies.add(_cookie(found))
    return cookies


def _sockets(pid: int) -> Iterator[socket.socket]:
    """Copies of all of a process's sockets; the caller's to close."""
    process = os.pidfd_open(pid)
    try:
        for number in [int(link.name) for link in Path(f"/proc/{pid}/fd").iterdir() if _is_socket(link)]:
            descriptor = _libc.syscall(SYS_PIDFD_GETFD, process, number, 0)
            if descriptor >= 0:
                yield socket.socket(fileno=descriptor)
    finally:
        os.close(process)


def _is_socket(link: Path) -> bool:
    with suppress(OSError):
        return str(link.readlink()).startswith("socket:")
    return False


def _cookie(found: socket.socket) -> int:
    with suppress(OSError):
        return int.from_bytes(found.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
    return 0


def _has_peer(found: socket.socket) -> bool:
    with suppress(OSError):
        return bool(found.getpeername())
    return False


def _killed_at_once(cgroup: Path) -> bool:
    return _write(cgroup / "cgroup.kill", b"1")


def _freeze(cgroup: Path, how: bytes) -> None:
    _write(cgroup / "cgroup.freeze", how)


def _write(file: Path, text: bytes) -> bool:
    """Into a file of the cgroup that is there; some kernels do not have it."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, text)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
