"""What recording costs a program: SSL_write + SSL_read of 100 bytes and 16 KiB, in one run.

Usage: python bench/capture.py [ROUNDS]        (root; needs bcc)

One client process in a governed cgroup and one outside take turns, each with the same libssl. Per size:

    no probe       before anything is attached
    empty probes   the same entries and returns, programs that return at once
    capture        what the agent does, polled by it meanwhile
    unmonitored    a process outside every governed cgroup while capture runs

Times are the client's CPU time, system time included; ratios are to "no probe" of the same size, best of the rounds,
since other work disturbs. Every call must have come out of the ring, and none been lost.
"""

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.kernel import Workload, cgroup, governed
from support.tls_server import make_certificate

from chaperone.agent.probe.apart import Parser
from chaperone.agent.probe.points import OPENSSL
from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Attached, TlsBytes, TlsLost

CLIENT = """
import socket, ssl, sys, threading, time
left, right = socket.socketpair()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(sys.argv[1], sys.argv[2])
ends = []
thread = threading.Thread(target=lambda: ends.append(server.wrap_socket(right, server_side=True)))
thread.start()
tls = ssl._create_unverified_context().wrap_socket(left)
thread.join()
peer = ends[0]
for line in sys.stdin:
    size, pairs = map(int, line.split())
    data = b"x" * size
    began = time.process_time_ns()
    for _ in range(pairs):
        tls.send(data); left_to_read = size
        while left_to_read: left_to_read -= len(peer.recv(left_to_read))
    print((time.process_time_ns() - began) / pairs, flush=True)
"""
SIZES = {100: 10_000, 16_384: 2_000}  # bytes → pairs in a round
PROGRAMS = sorted({program for pair in OPENSSL.values() for program in pair if program})
EMPTY = "".join(f"int {program}(void *ctx) {{ return 0; }}\n" for program in PROGRAMS)


class Poll(Protocol):
    """What is done while a client works."""

    def __call__(self) -> object: ...


@dataclass
class Client:
    """One process with two ends of one TLS connection."""

    process: subprocess.Popen[bytes]

    def measure(self, size: int, meanwhile: Poll) -> float:
        """Nanoseconds per pair."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{size} {SIZES[size]}\n".encode())
        self.process.stdin.flush()
        while not select.select([self.process.stdout], [], [], 0)[0]:
            meanwhile()
        return float(self.process.stdout.readline())


@dataclass
class Count:
    """What the agent's side saw of the client."""

    tracer: Tracer
    kept: dict[int, int] = field(default_factory=lambda: dict.fromkeys(SIZES, 0))
    lost: int = 0
    cpu_s: dict[int, float] = field(default_factory=lambda: dict.fromkeys(SIZES, 0.0))  # of this process, compared with `kept`

    def capture(self, client: Client, size: int) -> float:
        """One round, and what reading it took of the processor here."""
        before = time.process_time()
        found = client.measure(size, self.poll)
        self.cpu_s[size] += time.process_time() - before
        return found

    def poll(self) -> None:
        """As the agent does."""
        for value in self.tracer.poll(2):
            if isinstance(value, TlsBytes):
                self.kept[len(value.data)] = self.kept.get(len(value.data), 0) + 1
            self.lost += isinstance(value, TlsLost)


def libssl(pid: int) -> str:
    """The libssl that a process has mapped."""
    return next(line.split()[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/libssl" in line)


@contextmanager
def empty_probes(library: str) -> Iterator[None]:
    """The agent's probes with nothing in them."""
    kernel, parser = Kernel(EMPTY, {}), Parser()
    try:
        assert isinstance(ProbedFiles(kernel, parser).attach(library), Attached)
        yield
    finally:
        parser.close()
        kernel.close()


def idle(client: Client) -> Poll:
    """Wait for the client's answer."""
    return lambda: select.select([client.process.stdout], [], [], 0.1)


def rss_anon() -> int:
    """KiB of this process's own memory, bcc's compiler included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def measure(rounds: int, governed_client: Client, other: Client, count: Count) -> dict[str, dict[int, float]]:
    """Each variant, each size: nanoseconds per pair."""
    library, found = libssl(other.process.pid), dict[str, dict[int, float]]()

    def variant(name: str, client: Client, meanwhile: Poll) -> None:
        found[name] = {size: min(client.measure(size, meanwhile) for _ in range(rounds)) for size in SIZES}

    variant("no probe", governed_client, idle(governed_client))
    with empty_probes(library):
        variant("empty probes", governed_client, idle(governed_client))
    assert isinstance(count.tracer.attach(library), Attached)
    found["capture"] = {size: min(count.capture(governed_client, size) for _ in range(rounds)) for size in SIZES}
    variant("unmonitored", other, count.poll)
    return found


def report(found: dict[str, dict[int, float]], count: Count, rounds: int) -> None:
    for size, pairs in SIZES.items():
        print(f"{size} bytes, SSL_write + SSL_read, best of {rounds} rounds of {pairs}")
        for name, times in found.items():
            bare = found["no probe"][size]
            print(f"  {name:14} {times[size] / 1000:8.2f} us  x{times[size] / bare:.2f}  {(times[size] - bare) / 1000:+.2f} us")
        each = count.cpu_s[size] / max(1, count.kept[size])
        print(f"  captured {count.kept[size]} of {2 * pairs * rounds} calls; to take them from the ring, processor time of the agent:")
        print(f"  {each * 1e6:.1f} ms per 1000 calls, {each * 1e9 / size:.1f} ms per MB")
    print(f"chunks lost {count.lost}; kernel {count.tracer.lost}; agent RssAnon {rss_anon() / 1024:.1f} MiB")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Tracer() as tracer, governed(tracer) as workload, cgroup() as elsewhere, TemporaryDirectory() as directory:
        command = [sys.executable, "-c", CLIENT, *map(str, make_certificate(Path(directory)))]
        clients = [start(workload, command, path) for path in (workload.path, elsewhere)]
        for client in clients:
            client.measure(100, lambda: None)
        count = Count(tracer)
        report(measure(rounds, *clients, count), count, rounds)
        for client in clients:
            client.process.communicate()


def start(workload: Workload, command: list[str], path: Path) -> Client:
    return Client(workload.start(command, path, stdin=subprocess.PIPE, stdout=subprocess.PIPE))


if __name__ == "__main__":
    main()
