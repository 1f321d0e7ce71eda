"""Programs that are measured: one process with both ends of a TLS connection, or one that connects and connects."""

import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.go_peer import STRIPPED, built
from support.kernel import entering

OPENSSL = """
import os, socket, ssl, sys, threading, time
left, right = socket.socketpair()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(sys.argv[1], sys.argv[2])
ends = []
thread = threading.Thread(target=lambda: ends.append(server.wrap_socket(right, server_side=True)))
thread.start()
tls = ssl._create_unverified_context().wrap_socket(left)
thread.join()
peer, text = ends[0], os.urandom(1 << 19).hex().encode()
for line in sys.stdin:
    size, pairs, rate = map(int, line.split())
    begun, began = time.monotonic(), time.process_time_ns()
    for number in range(pairs):
        if rate and (early := begun + number / rate - time.monotonic()) > 0: time.sleep(early)
        at = number * 4099 % (len(text) - size)
        tls.send(text[at : at + size]); left_to_read = size
        while left_to_read: left_to_read -= len(peer.recv(left_to_read))
    print((time.process_time_ns() - began) / pairs, flush=True)
"""
CONNECTING = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
for line in sys.stdin:
    _, count, _ = map(int, line.split())
    began = time.process_time_ns()
    for _ in range(count):
        socket.create_connection(listener.getsockname()).close()
        listener.accept()[0].close()
    print((time.process_time_ns() - began) / count, flush=True)
"""


class Poll(Protocol):
    """What is done while a program works."""

    def __call__(self) -> object: ...


@dataclass
class Measured:
    """A program that answers each line SIZE COUNT RATE with the nanoseconds of processor time that one took."""

    process: "subprocess.Popen[bytes]"

    def measure(self, size: int, count: int, meanwhile: Poll | None = None, rate: int = 0) -> float:
        """`rate`: how many a second at most; 0 for all it can."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{size} {count} {rate}\n".encode())
        self.process.stdin.flush()
        while meanwhile and not select.select([self.process.stdout], [], [], 0)[0]:
            meanwhile()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Let it go."""
        self.process.communicate()


def start(command: list[str | Path], cgroup: Path) -> Measured:
    """In a session of its own: nobody is stopped on a terminal (bpf/gate.h)."""
    argv = [*entering(cgroup), *map(str, command)]
    return Measured(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True))


def programs(folder: Path, certificate: Path, key: Path) -> dict[str, list[str | Path]]:
    """The commands of those that talk TLS, by what is measured of them."""
    return {
        "SSL_write + SSL_read": [sys.executable, "-c", OPENSSL, certificate, key],
        "Go's Write + Read": [built("tls_pairs", folder, STRIPPED), certificate, key],
    }
