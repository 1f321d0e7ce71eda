"""Connections of a process in a cgroup, which says what it is told to; the test has the other ends."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.ip6_options import OPTIONS

from chaperone.agent.hold.layout import STALE_NS

HELLO, RECORD = b"\x16\x03\x01\x00\x05hello", b"\x17\x03\x03\x00\x05bytes"
TALKER = f"""
import socket, sys
{OPTIONS}
peer = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
if sys.argv[3:]: options(peer)
peer.connect((sys.argv[1], int(sys.argv[2])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for line in sys.stdin:
    peer.sendall(bytes.fromhex(line))
"""
HOLDER = """
import sys, time
from pathlib import Path
from chaperone.agent.hold.lock import Lock
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.workload.processes import now_ns
with Tracer() as tracer:
    lock = Lock(tracer.kernel, now_ns())
    lock.put_on(Path(sys.argv[1]), True)
    print("on", flush=True)
    while True:
        lock.beat(now_ns())
        time.sleep(0.1)
"""
SOON_S, NEVER_S = 30, 1.0


@contextmanager
def dying_agent(path: Path) -> Iterator[None]:
    """One that locks a cgroup; behind it, it is killed, and has been dead for too long."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "on\n"
            yield
        finally:
            holder.kill()
    time.sleep(STALE_NS / 1e9 + 0.5)


@dataclass(slots=True)
class Talk:
    """A connection of a process in the cgroup."""

    talker: "subprocess.Popen[str]"
    served: socket.socket

    def say(self, data: bytes) -> None:
        assert self.talker.stdin is not None
        self.talker.stdin.write(data.hex() + "\n")
        self.talker.stdin.flush()

    def comes(self, data: bytes) -> None:
        """All of it, sooner or later: TCP sends again what was dropped."""
        self.served.settimeout(SOON_S)
        got = b""
        while len(got) < len(data):
            got += self.served.recv(len(data) - len(got))
        assert got == data

    def nothing_comes(self) -> None:
        self.served.settimeout(NEVER_S)
        with pytest.raises(TimeoutError):
            self.served.recv(100)


@contextmanager
def talking(path: Path, host: str = "127.0.0.1", *options: str) -> Iterator[Talk]:
    """`options`: its packets have some (ip6_options.py)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        argv = [sys.executable, "-c", TALKER, host, str(server.getsockname()[1]), *options]
        enter = f'echo 0 > {path / "cgroup.procs"} && exec "$@"'
        with subprocess.Popen(["sh", "-c", enter, "sh", *argv], stdin=subprocess.PIPE, text=True) as talker:
            server.settimeout(SOON_S)
            served, _ = server.accept()
            with served:
                try:
                    yield Talk(talker, served)
                finally:
                    talker.kill()
