"""Live: sockets that one process makes and another speaks TLS on. The truth is the server's own log of each port."""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import tls_clients
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.tls_server import TlsServer, libssl

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Bound, Chunk, Connection, Direction, Note, ProcessSeen, Record, StreamOpened

pytestmark = pytest.mark.kernel

TAKE = """
def wrapped(plain):
    context = ssl.create_default_context(cafile=CERT)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")
def taken(way, count):
    numbers = []
    while len(numbers) < count:
        data, found, *_ = socket.recv_fds(way, 1, count)
        assert data, "nobody sent one"
        numbers += found
    return [socket.socket(fileno=number) for number in numbers]
"""
# One process connects, two others that it started speak, in turns and on two connections each.
SPEAKER = f"""{TAKE}
way = socket.socket(fileno=int(sys.argv[3]))
speaking = [wrapped(plain) for plain in taken(way, 2)]
for turn in range(3):
    for number, tls in enumerate(speaking): ask(tls, 1000 * turn + number + 1, 2000 + number)
for tls in speaking: tls.unwrap()
"""
BROKER = f"""
import subprocess
SPEAKER = {tls_clients.START + SPEAKER!r}
workers = []
for _ in range(2):
    mine, theirs = socket.socketpair()
    argv = [sys.executable, "-c", SPEAKER, str(PORT), CERT, str(theirs.fileno())]
    workers.append((subprocess.Popen(argv, pass_fds=[theirs.fileno()]), mine))
made = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(4)]
for number, plain in enumerate(made): socket.send_fds(workers[number % 2][1], [b"x"], [plain.fileno()])
for plain in made: plain.close()
for worker, _ in workers: assert worker.wait() == 0
"""
# TLS objects made before a fork: the child puts sockets of its own under the same numbers, and both shake hands on theirs.
FORKED = """
made = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(6)]
context = ssl.create_default_context(cafile=CERT)
speaking = [context.wrap_socket(plain, server_hostname="127.0.0.1", do_handshake_on_connect=False) for plain in made[:3]]
child = os.fork()
for plain, tls in zip(made[3:], speaking):
    if not child: os.dup2(plain.fileno(), tls.fileno())
    plain.close()
for turn in range(3):
    for number, tls in enumerate(speaking): ask(tls, 500 + 10 * number + (7 if child else 0), 900 + turn)
for tls in speaking: tls.unwrap()
if not child: os._exit(0)
assert os.wait()[1] == 0
"""
FROM_OUTSIDE = (
    f"{TAKE}\nway = socket.socket(socket.AF_UNIX)\nway.connect(sys.argv[3])\ntls, = map(wrapped, taken(way, 1))\nask(tls, 300, 400)\n"
)
TO_OUTSIDE = """
way = socket.socket(socket.AF_UNIX)
way.connect(sys.argv[3])
plain = socket.create_connection(("127.0.0.1", PORT))
socket.send_fds(way, [b"x"], [plain.fileno()])
assert way.recv(1) == b"d"
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


@contextmanager
def meeting(directory: Path, serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A Unix socket's path, on which one visitor is served by a thread of ours."""

    def meet() -> None:
        way, _ = listener.accept()
        with way:
            serve(way)
            served.set()

    served = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "way"))
        listener.listen()
        threading.Thread(target=meet, daemon=True).start()
        yield str(directory / "way")
        assert served.wait(20)


def run(tracer: Tracer, server: TlsServer, program: str, *more: str) -> list[Record]:
    argv = [*tls_clients.command(program, server.port, server.certificate), *more]
    return recorded(tracer, argv, "--attach", libssl(), statuses=[0])


def over(records: list[Record]) -> list[Connection]:
    return [one for one in of(records, Connection) if one.ended]


def plaintext(records: list[Record], cookie: int, direction: Direction) -> bytes:
    streams = {bound.stream for bound in of(records, Bound) if bound.cookie == cookie}
    return b"".join(chunk.data for chunk in of(records, Chunk) if chunk.stream in streams and chunk.direction is direction)


def assert_each_port_has_its_bytes(records: list[Record], server: TlsServer, count: int) -> None:
    """Every connection complete, and the very bytes that the server had on that port."""
    truth = {one.peer: (one.out, one.into) for one in server.conversations if one.done.wait(20)}
    ended = over(records)
    found = {int(one.local.rpartition(":")[2]): tuple(plaintext(records, one.cookie, way) for way in Direction) for one in ended}
    assert len(truth) == count
    assert found == truth
    assert {(one.coverage_out, one.coverage_in) for one in ended} == {("complete", "complete")}
    assert not of(records, Note)


def test_sockets_passed_to_others_are_tied_to_who_speaks_on_them(tracer: Tracer, server: TlsServer) -> None:
    records = run(tracer, server, BROKER)
    assert_each_port_has_its_bytes(records, server, 4)
    [broker] = {one.process for one in over(records)}
    speakers = {stream.process for stream in of(records, StreamOpened)}
    assert len(speakers) == 2
    assert broker not in speakers
    assert {seen.parent for seen in of(records, ProcessSeen) if seen.process in speakers} == {broker}


def test_equal_handles_of_parent_and_child_are_tied_to_their_own_sockets(tracer: Tracer, server: TlsServer) -> None:
    records = run(tracer, server, FORKED)
    assert_each_port_has_its_bytes(records, server, 6)
    handles = [(one.process, one.handle) for one in of(records, StreamOpened)]
    assert (len(set(handles)), len({handle for _, handle in handles})) == (6, 3)


def test_a_socket_from_outside_proves_nothing_and_says_so(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    """Its packets are those of another cgroup; the plaintext is there all the same."""

    def give(way: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            socket.send_fds(way, [b"x"], [plain.fileno()])

    with meeting(tmp_path, give) as path:
        records = run(tracer, server, FROM_OUTSIDE, path)
    [conversation] = server.conversations
    assert sum(len(chunk.data) for chunk in of(records, Chunk) if chunk.direction is Direction.OUT) == len(conversation.out)
    assert not of(records, Bound) and not over(records)
    [note] = of(records, Note)
    size = len(conversation.out) + 400
    assert note.text == f"unassociated: {size} bytes are tied to no socket: no proof that they were sent"


def test_a_socket_that_an_outsider_speaks_on_is_named_with_its_bytes(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    said = b"50 60\n" + os.urandom(50)

    def speak(way: socket.socket) -> None:
        _, [number], *_ = socket.recv_fds(way, 1, 1)
        context = ssl.create_default_context(cafile=str(server.certificate))
        with context.wrap_socket(socket.socket(fileno=number), server_hostname="127.0.0.1") as tls:
            tls.sendall(said)
            assert len(tls.recv(100)) == 60
        way.sendall(b"d")

    with meeting(tmp_path, speak) as path:
        records = run(tracer, server, TO_OUTSIDE, path)
    [one] = over(records)
    assert (one.captured_out, one.captured_in) == (0, 0)
    assert one.app_out >= len(said) and one.coverage_out == f"gap: {one.app_out} bytes"
    assert any(note.text.startswith("TLS from an uninstrumented process: ") and not note.complete for note in of(records, Note))
