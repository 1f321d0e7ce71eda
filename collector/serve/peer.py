"""Who is at the other end of a Unix socket, as the kernel says, and whether they are outside of every governed run.

The user is the one of SO_PEERCRED (unix(7)): what a process was when it connected, whatever it says of itself. Whoever sits in the
cgroup of a run, or was started from inside one, decides nothing, be it root by sudo: it might be the program that asks. A governed
program that has become root for good can leave its cgroup and its parents; it can write the store's files just as well, and nothing
here stops it (docs/approvals.md).
"""

import os
import pwd
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

RUN_CGROUP = "/chaperone-run-"  # cli/launch/cgroup.py
SO_PEERPIDFD = 77  # include/uapi/asm-generic/socket.h, Linux 6.5
GENERATIONS = 128
NOBODY = 2**32 - 1  # loginuid of a process that nobody logged in for (audit)


class PeerError(ValueError):
    """Somebody who can't decide; one sentence."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`login`: who logged in to become this user, where the machine knows it; for the record only."""

    user: str
    uid: int
    pid: int
    login: str = ""

    @property
    def how(self) -> str:
        """How it is known, for the record."""
        return f"local socket, uid {self.uid}, pid {self.pid}" + (f", logged in as {self.login}" if self.login else "")


def peer_of(connection: socket.socket) -> Peer:
    """PeerError when it is gone, can't be seen, or is governed."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if not pid:
        raise PeerError("a process of another pid namespace can't decide: it can't be seen from here")
    try:
        with _pinned(connection, pid):
            lineage = list(_lineage(pid))
            login = _login(pid)
    except OSError:
        raise PeerError("who asked is gone") from None
    if governed := next((member for member in lineage if _is_in_run(member)), 0):
        raise PeerError(f"process {pid} belongs to a governed run (process {governed}), and can't decide")
    return Peer(_name(uid), uid, pid, login)


@contextmanager
def _pinned(connection: socket.socket, pid: int) -> Iterator[None]:
    """What is read of the process within is of this one, and no other that got its number. ProcessLookupError."""
    try:
        descriptor = connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:
        descriptor = os.pidfd_open(pid)
    try:
        yield
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        if ended.poll(0):
            raise ProcessLookupError
    finally:
        os.close(descriptor)


def _lineage(pid: int) -> Iterator[int]:
    """The process, its parent and so on. OSError if the first can't be read."""
    yield pid
    parent = _parent(pid)
    for _ in range(GENERATIONS):
        if not parent:
            return
        yield parent
        try:
            parent = _parent(parent)
        except OSError:
            return  # it ended meanwhile; the cgroup of its children says the same


def _parent(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("PPid:")), 0)


def _is_in_run(pid: int) -> bool:
    with suppress(OSError):
        return RUN_CGROUP in Path(f"/proc/{pid}/cgroup").read_text()
    return False


def _login(pid: int) -> str:
    try:
        uid = int(Path(f"/proc/{pid}/loginuid").read_text())
    except (OSError, ValueError):
        return ""
    return "" if uid == NOBODY else _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
