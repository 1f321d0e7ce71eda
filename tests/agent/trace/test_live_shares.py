"""One workload floods while nobody looks into the ring: it alone loses, and says how much; nine others are whole."""

import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from support import tls_clients
from support.kernel import Seen, Workload, governed, skip_without_kernel
from support.tls_server import TlsServer, libssl

from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened, SocketTied
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.layout import Governed
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Lost, ProcessExit, TlsLost
from chaperone.proto.records import Cause, Direction

pytestmark = pytest.mark.kernel
OTHERS = 9
FLOOD = [(60_000, 10)] * 100
LITTLE = [(150, 200)] * 12
# TLS that never comes further than a hello of 2 KiB.
HELLOS = """
import socket, sys
hello = bytes.fromhex("16030107fb010007f70303") + bytes(2037)
for _ in range(3000):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one: one.sendall(hello)
"""
# Waits in a read until it is told to ask; says when it does.
WAITING = """
tls = connect()
ask(tls, 10, 10)
reader = threading.Thread(target=lambda: print(tls.recv(100)))
reader.start()
state = lambda: open(f"/proc/self/task/{reader.native_id}/stat").read().rpartition(")")[2].split()[0]
while state() != "S": pass
print("waiting", flush=True)
sys.stdin.readline()
tls.sendall(b"0 20\\n")
reader.join()
"""
# A hundred children that are inside of a read, killed there.
ABANDONING = """
import signal, time
tls = connect()
ask(tls, 10, 10)
children = []
for _ in range(100):
    mine, theirs = os.pipe()
    if not (child := os.fork()):
        os.write(theirs, b"x")
        tls.recv(1)
    children.append(child)
    os.read(mine, 1)
    os.close(mine), os.close(theirs)
    while open(f"/proc/{child}/stat").read().rpartition(")")[2].split()[0] != "S": time.sleep(0.001)
for child in children: os.kill(child, signal.SIGKILL)
for child in children: os.waitpid(child, 0)
"""
TABLE = "#define CALLS 65536"
RING = TracerSettings(ring_pages=512)  # 2 MiB


@pytest.fixture(autouse=True)
def _kernel() -> None:
    skip_without_kernel()


def flooded(tracer: Tracer, server: TlsServer, workloads: list[Workload]) -> Seen:
    """The first workload floods to its end, then all others talk at once; only then is the ring read."""
    tracer.attach(libssl())
    for group, sizes in ((workloads[:1], FLOOD), (workloads[1:], LITTLE)):
        command = tls_clients.command(tls_clients.SYNC.format(sizes=sizes), server.port, server.certificate)
        processes = [workload.start(command) for workload in group]
        assert [process.wait(60) for process in processes] == [0] * len(processes)
    seen = workloads[0].rest()
    seen.values += tracer.final_positions()
    return seen


def of_workload(seen: Seen, number: int) -> Seen:
    return Seen([value for value in seen.values if getattr(getattr(value, "tls", value), "workload", 0) == number])


def test_only_the_one_that_floods_loses(server: TlsServer) -> None:
    with Tracer(RING) as tracer, ExitStack() as stack:
        workloads = [stack.enter_context(governed(tracer)) for _ in range(1 + OTHERS)]
        seen = flooded(tracer, server, workloads)
        lost = [tracer.lost_of(number) for number in range(12)]
    truth = server.finished()
    hog, *others = (of_workload(seen, number) for number in range(1, 2 + OTHERS))
    assert {value.cause for value in hog.of(TlsLost)} >= {Cause.OVER_SHARE}
    assert lost[1].chunks and lost[0] == Lost() and lost[2:] == [Lost()] * 10
    assert len(hog.objects()) == 1
    ends = [value.position + value.size for value in hog.of(TlsLost) if value.direction is Direction.OUT]
    assert max(ends) == max(len(out) for out, _ in truth), "to its last byte"
    for other in others:
        assert not other.of(TlsLost) and len(other.of(ProcessExit)) == 1
        [conversation] = other.conversations()
        assert conversation in truth


def test_without_shares_the_others_would_lose_as_well(server: TlsServer) -> None:
    with Tracer(RING) as tracer, ExitStack() as stack:
        workloads = [stack.enter_context(governed(tracer)) for _ in range(1 + OTHERS)]
        tracer.kernel.store("governed", Governed(1))
        seen = flooded(tracer, server, workloads)
    assert any(of_workload(seen, number).of(TlsLost) for number in range(2, 2 + OTHERS))


def test_what_was_read_is_room_again(server: TlsServer) -> None:
    with Tracer(RING) as tracer, governed(tracer) as hog, governed(tracer):
        tracer.attach(libssl())
        command = tls_clients.command(tls_clients.SYNC.format(sizes=[(20_000, 10)] * 300), server.port, server.certificate)
        process, seen = hog.start(command), Seen()
        while process.poll() is None:
            seen.values += tracer.poll(1)
        seen = hog.rest(seen)
        lost = sum(value.size for value in seen.of(TlsLost))
    assert lost < 4_000_000, "six megabytes went through a share of less than two"


def test_a_flood_of_hellos_costs_nobody_else_anything(server: TlsServer) -> None:
    with Tracer(RING) as tracer, ExitStack() as stack:
        workloads = [stack.enter_context(governed(tracer)) for _ in range(1 + OTHERS)]
        tracer.attach(libssl())
        with swallowing() as port:
            assert workloads[0].start([sys.executable, "-c", HELLOS, str(port)]).wait(60) == 0
        command = tls_clients.command(tls_clients.SYNC.format(sizes=LITTLE), server.port, server.certificate)
        processes = [workload.start(command) for workload in workloads[1:]]
        assert [process.wait(60) for process in processes] == [0] * OTHERS
        seen = workloads[0].rest()
        lost = [tracer.lost_of(number) for number in range(2 + OTHERS)]
    assert lost[1].events and [lost[0], *lost[2:]] == [Lost()] * (1 + OTHERS)
    assert {process.pid for process in processes} <= {value.pid for value in seen.of(ProcessExit)}
    cookies = {value.cookie for value in seen.of(SocketOpened) if value.workload > 1}
    told = Counter(value.cookie for value in seen.of(SocketHello) if value.cookie in cookies)
    assert (len(cookies), set(told.values())) == (OTHERS, {2})
    assert cookies == {value.cookie for value in seen.of(SocketTied)} == cookies & {value.cookie for value in seen.of(SocketClosing)}


def test_calls_that_never_return_displace_none_of_others_and_are_taken_out(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table of 64: one workload abandons 100, and is then whole as before."""
    text = flatten("chaperone.c")
    assert TABLE in text
    monkeypatch.setattr("chaperone.agent.trace.tracer.flatten", lambda _name: text.replace(TABLE, "#define CALLS 64"))
    monkeypatch.setattr("chaperone.agent.trace.abandoned.MANY", 1)
    monkeypatch.setattr("chaperone.agent.trace.abandoned.PAUSE_S", 0)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with Tracer() as tracer, governed(tracer) as quiet, governed(tracer) as hog:
        tracer.attach(libssl())
        waiting = quiet.start(tls_clients.command(WAITING, server.port, server.certificate), **pipes)
        assert waiting.stdout is not None and waiting.stdout.readline() == b"waiting\n"
        seen = hog.run(tls_clients.command(ABANDONING, server.port, server.certificate))
        waiting.communicate(b"go\n", timeout=60)
        first = tracer.lost_of(2).calls
        again = hog.run(tls_clients.command(tls_clients.SYNC.format(sizes=LITTLE), server.port, server.certificate))
        seen.values += again.values
        lost = [tracer.lost_of(number) for number in (1, 2)]
    assert (lost[0], lost[1].calls) == (Lost(), first)
    assert len(of_workload(again, 2).conversations()) == 1
    assert sorted(of_workload(seen, 1).conversations() + of_workload(again, 2).conversations()) == sorted(
        (out, into) for out, into in server.finished() if len(out) != len(b"10 10\n") + 10
    )


@contextmanager
def swallowing() -> Iterator[int]:
    """A port that takes whatever comes."""

    def take() -> None:
        with suppress(OSError):
            while True:
                with listener.accept()[0] as one:
                    while one.recv(65536):
                        pass

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        threading.Thread(target=take, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
