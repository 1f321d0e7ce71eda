"""A name server for live tests, and a place to run clients in: a network namespace in which it is at 127.0.0.1:53.

Run as a program it serves, over UDP and TCP, what NAMES says, and prints a line when it is ready.
"""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

LOOPBACK = 1  # the index of a namespace's own
A, CNAME, AAAA = 1, 5, 28
ALIAS, REAL, BIG, SIX = "alias.zoo.test", "real.zoo.test", "big.zoo.test", "six.zoo.test"
ADDRESS = "127.0.0.9"
BIG_ADDRESSES = [f"127.0.9.{number}" for number in range(1, 121)]  # does not fit into a datagram: is asked for again over TCP


def encoded(name: str) -> bytes:
    """A name as a message has it."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(owner: str, kind: int, data: bytes, ttl: int = 30) -> bytes:
    """A resource record of class IN."""
    return encoded(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def message(name: str, kind: int, records: Sequence[bytes], flags: int = 0x8180, id_: int = 7) -> bytes:
    """An answer to one question."""
    return struct.pack(">HHHHHH", id_, flags, 1, len(records), 0, 0) + encoded(name) + struct.pack(">HH", kind, 1) + b"".join(records)


NAMES: dict[tuple[str, int], list[bytes]] = {
    (ALIAS, A): [record(ALIAS, CNAME, encoded(REAL)), record(REAL, A, socket.inet_aton(ADDRESS))],
    (BIG, A): [record(BIG, A, socket.inet_aton(address)) for address in BIG_ADDRESSES],
    (SIX, AAAA): [record(SIX, AAAA, socket.inet_pton(socket.AF_INET6, "::1"))],
}


def answer(query: bytes, limit: int) -> bytes:
    """To one query; an empty one that says so where it would be longer than `limit`."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode())
        at += 1 + size
    (id_,), (kind,) = struct.unpack_from(">H", query), struct.unpack_from(">H", query, at + 1)
    name = ".".join(labels)
    whole = message(name, kind, NAMES.get((name.lower(), kind), []), id_=id_)
    return whole if len(whole) <= limit else message(name, kind, [], flags=0x8380, id_=id_)


def serve_udp(opened: socket.socket) -> None:
    while True:
        query, peer = opened.recvfrom(4096)
        opened.sendto(answer(query, 1232), peer)


def _serve_tcp(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            while prefix := connection.recv(2, socket.MSG_WAITALL):
                query = connection.recv(int.from_bytes(prefix, "big"), socket.MSG_WAITALL)
                data = answer(query, 65535)
                for piece in (len(data).to_bytes(2, "big") + data[:700], data[700:]):  # a message may come in pieces
                    connection.sendall(piece)


def main() -> None:
    """Serve in this network namespace."""
    with IPRoute() as netlink:
        netlink.link("set", index=LOOPBACK, state="up")
    udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 53))
    udp.bind(("127.0.0.1", 53))
    for serve, opened in ((serve_udp, udp), (_serve_tcp, tcp)):
        threading.Thread(target=serve, args=(opened,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


@dataclass(frozen=True, slots=True)
class Place:
    """The namespace of process `pid`; `resolv`: a resolv.conf that names the server."""

    pid: int
    resolv: Path

    def inside(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """A command line that runs in it, with that resolv.conf."""
        script = f'mount --bind {self.resolv} /etc/resolv.conf && exec "$@"'
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "unshare", "-m", "/bin/sh", "-c", script, "sh", *argv]


@contextmanager
def name_server(directory: Path) -> Iterator[Place]:
    """Serves as long as the block lasts."""
    resolv = directory / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
    argv = ["unshare", "-n", sys.executable, __file__]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield Place(process.pid, resolv)
        finally:
            process.stdin.close()
            process.wait(20)


if __name__ == "__main__":
    main()
