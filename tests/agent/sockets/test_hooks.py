"""Live: what the hooks count of plain TCP and UDP, and that they are gone when they should be."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.kernel import governed, skip_without_kernel

from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Lost, ProcessExec, ProcessExit

pytestmark = pytest.mark.kernel
PLAIN = """
import socket, sys
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
one.sendall(b"x" * 100_000)
one.shutdown(socket.SHUT_WR)
assert len(one.makefile("rb").read()) == 7
"""
DATAGRAM = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.connect(("127.0.0.1", int(sys.argv[1])))
for _ in range(3): one.send(b"12345")
"""
# Says something, waits, says something more.
QUIET = """
import socket, sys
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
one.sendall(b"before")
sys.stdin.read()
one.sendall(b"after")
"""
MANY = """
import socket, sys
many = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
"""
TABLE = "#define FLOWS 65536"
PEERS = """
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(70_000): one.sendto(b"x", (f"127.0.{number % 200}.{1 + number // 20_000}", 20_000 + number // 200 % 20_000))
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=256)) as opened:
        yield opened


def test_plain_tcp_is_counted_and_none_of_it_copied(tracer: Tracer) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with governed(tracer) as workload:
        process = workload.start([sys.executable, "-c", PLAIN, str(listener.getsockname()[1])])
        with listener.accept()[0] as accepted:
            assert len(accepted.makefile("rb").read()) == 100_000
            accepted.sendall(b"goodbye")
        assert process.wait(60) == 0
        seen = workload.rest()
        [opened] = seen.of(SocketOpened)
        flows = tracer.flows(opened.cookie)
    assert (opened.pid, opened.protocol, opened.late) == (process.pid, "tcp", False)
    assert opened.remote == f"127.0.0.1:{listener.getsockname()[1]}"
    assert len(seen.of(SocketClosing)) == 1
    assert not seen.of(SocketHello)
    assert flows is not None
    assert [(flow.wire, flow.tls) for flow in flows] == [(100_000, False), (7, False)]
    assert tracer.flows(opened.cookie) is None, "its workload is released"


def test_udp_is_counted(tracer: Tracer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, governed(tracer) as workload:
        receiver.bind(("127.0.0.1", 0))
        seen = workload.run([sys.executable, "-c", DATAGRAM, str(receiver.getsockname()[1])])
    [opened] = seen.of(SocketOpened)
    assert opened.protocol == "udp"
    flows = tracer.flows(opened.cookie)
    assert flows is not None
    assert flows[0].wire == 15


def test_any_number_of_peers_displaces_no_tcp_connection(tracer: Tracer) -> None:
    """More than the table of TCP has places; what of them can't be told is counted."""
    listener = socket.create_server(("127.0.0.1", 0))
    with governed(tracer) as quiet, governed(tracer) as loud:
        process = quiet.start([sys.executable, "-c", QUIET, str(listener.getsockname()[1])], stdin=subprocess.PIPE)
        with listener.accept()[0] as accepted:
            assert accepted.recv(10) == b"before"
            seen = loud.run([sys.executable, "-c", PEERS])
            told = [opened for opened in seen.of(SocketOpened) if opened.protocol == "udp"]
            process.communicate(b"go", timeout=20)
        [kept] = [opened for opened in seen.of(SocketOpened) if opened.protocol == "tcp"]
        flows = tracer.flows(kept.cookie)
        assert flows is not None
        assert flows[0].wire == len(b"beforeafter")
        lived = [one for one in (*seen.of(ProcessExec), *seen.of(ProcessExit)) if one.pid == told[0].pid]
        assert len(told) + len(lived) + tracer.lost_of(told[0].workload).events == 70_000 + 2
        assert tracer.lost_of(kept.workload) == Lost()


def test_one_with_many_connections_takes_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table of 128 directions: who has 64 of them begins no more until some are over."""
    text = flatten("chaperone.c")
    assert TABLE in text
    monkeypatch.setattr("chaperone.agent.trace.tracer.flatten", lambda _name: text.replace(TABLE, "#define FLOWS 128"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    with Tracer(TracerSettings(ring_pages=256)) as tracer, governed(tracer) as quiet, governed(tracer) as loud:
        port = str(listener.getsockname()[1])
        process = quiet.start([sys.executable, "-c", QUIET, port], stdin=subprocess.PIPE)
        with listener.accept()[0] as accepted:
            assert accepted.recv(10) == b"before"
            seen = loud.run([sys.executable, "-c", MANY, port])
            process.communicate(b"go", timeout=20)
            assert accepted.recv(10) == b"after"
        seen = quiet.rest(seen)
        [kept] = [opened for opened in seen.of(SocketOpened) if opened.workload == 1]
        told = [opened for opened in seen.of(SocketOpened) if opened.workload == 2]
        flows = tracer.flows(kept.cookie)
        assert flows is not None and flows[0].wire == len(b"beforeafter")
        assert (len(told), tracer.lost_of(1)) == (32, Lost())
        assert tracer.lost_of(2).packets >= 100 - len(told)
        for opened in told:
            tracer.forget(opened.cookie)
        again = loud.run([sys.executable, "-c", MANY.replace("100", "10"), port]).of(SocketOpened)
    assert len(again) == 10


def test_a_released_workload_is_looked_at_no_more(tracer: Tracer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, governed(tracer) as workload:
        receiver.bind(("127.0.0.1", 0))
        (slot,) = tracer.sockets.links
        tracer.sockets.detach(slot)
        assert not workload.run([sys.executable, "-c", DATAGRAM, str(receiver.getsockname()[1])]).of(SocketOpened)
