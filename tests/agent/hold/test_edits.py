"""The same edits in other libraries than OpenSSL: Go's crypto/tls and GnuTLS."""

import ctypes.util
from pathlib import Path

import pytest
from support import c_peer, go_peer
from support.enforced import NONE, Enforced, enforced

from chaperone.agent.hold.lane import NEVER, Piece
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.values import Attached
from chaperone.proto.records import Direction, Hold
from chaperone.proto.refusals import Refusal

pytestmark = pytest.mark.kernel
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
REFUSAL = Refusal("r-1", "not allowed here")


def refusing(it: Enforced):
    """A request is replaced by a harmless one, its answer by a refusal."""

    def decide(hold: Hold) -> Order:
        end = hold.position + hold.size
        if hold.direction is Direction.OUT:
            it.holds.hold_from(hold.stream, Direction.IN, 0)
            return Order(hold.hold, Name.WRITE, (Piece(hold.position, end, "http1-harmless", REFUSAL),), end)
        it.holds.hold_from(hold.stream, Direction.IN, NEVER)
        return Order(hold.hold, Name.ANSWER, (Piece(hold.position, end, "http1-forbidden", REFUSAL),), end)

    return decide


@pytest.fixture(scope="module")
def go_client(tracer, tmp_path_factory):
    program = go_peer.built("hold_client", tmp_path_factory.mktemp("go"), go_peer.STRIPPED)
    assert isinstance(tracer.attach(program), Attached)
    return program


@pytest.fixture(scope="module")
def gnutls(tracer):
    assert isinstance(tracer.attach(LIBRARIES / str(ctypes.util.find_library("gnutls"))), Attached)


def test_go_writes_wait_and_go_on(tracer, server, go_client):
    with enforced(tracer) as it:
        status, said = it.run([str(go_client), str(server.port), str(server.certificate), "3000"])
        assert (status, said) == (0, "3010 3000\n" * 3)
        assert server.finished()[0][0] == it.recorded(Direction.OUT) and set(it.outcomes()) == {"pass"}


def test_go_requests_are_gathered(tracer, server, go_client):
    def decide(hold: Hold) -> Order:
        begin = hold.position - hold.position % 3010
        end = hold.position + hold.size
        if end % 3010:
            return Order(hold.hold, Name.SKIP)
        return Order(hold.hold, Name.WRITE, (Piece(begin, end, "", NONE),), end)

    with enforced(tracer) as it:
        status, said = it.run([str(go_client), str(server.port), str(server.certificate), "3000"], decide)
        assert (status, said) == (0, "3010 3000\n" * 3)
        assert server.finished()[0][0] == it.recorded(Direction.OUT) and "skip" in it.outcomes()


def test_a_go_client_reads_a_refusal(tracer, server, go_client):
    with enforced(tracer) as it:
        status, said = it.run([str(go_client), str(server.port), str(server.certificate), "http"], refusing(it))
        assert status == 0 and "HTTP/1.1 403 Forbidden" in said and "not allowed here" in said
        assert server.finished()[0][0].startswith(b"GET /healthz HTTP/1.1\r\n")
        assert it.recorded(Direction.OUT).startswith(b"POST /secret") and it.recorded(Direction.IN).startswith(b"HTTP/1.1 200 OK")
        assert it.outcomes() == ["write", "answer"]


def test_a_go_connection_that_is_killed_sends_nothing(tracer, server, go_client):
    with enforced(tracer) as it:
        status, _ = it.run([str(go_client), str(server.port), str(server.certificate), "3000"], lambda h: Order(h.hold, Name.KILL))
        assert status == 2 and server.finished()[0][0] == b"" and it.outcomes() == ["kill"]


def test_a_gnutls_client_reads_a_refusal(tracer, server, gnutls):
    url = f"https://127.0.0.1:{server.port}/secret"
    with enforced(tracer) as it:
        status, said = it.run(["wget", "-nv", "-O-", f"--ca-certificate={server.certificate}", url], refusing(it))
        assert status == 8 and "ERROR 403: Forbidden" in said
        assert server.finished()[0][0].startswith(b"GET /healthz HTTP/1.1\r\n")


def test_every_call_of_gnutls_arrives(tracer, server, gnutls, tmp_path):
    program = c_peer.built("gnutls_calls", tmp_path, "-lgnutls")
    with enforced(tracer) as it:
        status, said = it.run([str(program), str(server.port), str(server.certificate)])
        assert status == 0, said
        assert server.finished()[0][0] == it.recorded(Direction.OUT)
        assert it.recorded(Direction.IN) == server.finished()[0][1][:-7]  # a packet of the library's own


@pytest.mark.parametrize(("size", "each"), [(20_000, 2), (10_000, 5)])
def test_what_gnutls_sends_later_in_a_writes_place_goes_on_where_it_was(tracer, server, gnutls, tmp_path, size, each):
    """The bytes of so many writes in the place of the last one's, of which records answer E_AGAIN; it then calls with the same buffer, or
    with another one or none, and the first one overwritten. What is recorded is what was judged."""
    program, head, total = c_peer.built("gnutls_calls", tmp_path, "-lgnutls", f"-DPIECE={size}"), len(b"400000 30000\n"), 400_000
    begin = [0]

    def decide(hold: Hold) -> Order:
        end = hold.position + hold.size
        if hold.position >= head + total:
            return Order(hold.hold, Name.PASS)
        if len(it.asked) % each and end < head + total:
            return Order(hold.hold, Name.SKIP)
        piece, begin[0] = Piece(begin[0], end, "", NONE), end
        return Order(hold.hold, Name.WRITE, (piece,), end)

    with enforced(tracer) as it:
        status, said = it.run([str(program), str(server.port), str(server.certificate)], decide)
    written = bytes(ord("a") + i % 23 + i // 9973 % 3 for i in range(total))
    assert (status, said) == (0, "") and server.finished()[0][0].startswith(b"400000 30000\n" + written)
    assert [hold.size for hold in it.asked][: 1 + total // size] == [head] + [size] * (total // size)
    judged = b"".join(hold.data for hold in it.asked)
    assert it.recorded(Direction.OUT) == judged and judged.startswith(b"400000 30000\n" + written)


def test_every_call_of_openssl_arrives(tracer, server, tmp_path):
    program = c_peer.built("openssl_calls", tmp_path, "-lssl", "-lcrypto")
    with enforced(tracer) as it:
        status, said = it.run([str(program), str(server.port), str(server.certificate)])
        assert status == 0, said
        assert server.finished()[0][0] == it.recorded(Direction.OUT)
