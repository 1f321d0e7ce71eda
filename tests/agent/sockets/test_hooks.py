"""Live: what the hooks count of plain TCP and UDP, and that they are gone when they should be."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.kernel import governed, skip_without_kernel

from chaperone.agent.sockets.values import SocketClosing, SocketHello, SocketOpened
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
    assert (opened.pid, opened.protocol, opened.late) == (process.pid, "tcp", False)
    assert opened.remote == f"127.0.0.1:{listener.getsockname()[1]}"
    assert len(seen.of(SocketClosing)) == 1
    assert not seen.of(SocketHello)
    flows = tracer.flows(opened.cookie)
    assert flows is not None
    assert [(flow.wire, flow.tls) for flow in flows] == [(100_000, False), (7, False)]
    tracer.forget(opened.cookie)
    assert tracer.flows(opened.cookie) is None


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


def test_a_released_workload_is_looked_at_no_more(tracer: Tracer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, governed(tracer) as workload:
        receiver.bind(("127.0.0.1", 0))
        (slot,) = tracer.sockets.links
        tracer.sockets.detach(slot)
        assert not workload.run([sys.executable, "-c", DATAGRAM, str(receiver.getsockname()[1])]).of(SocketOpened)
