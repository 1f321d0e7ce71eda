"""Live: calls that move other bytes than they were given. A byte counts once, when the library has accepted it."""

from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest
from support.c_peer import built
from support.kernel import Seen, governed, skip_without_kernel
from support.tls_server import libssl, tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached, TlsClosed, TlsLost
from chaperone.proto.records import Cause, Direction

pytestmark = pytest.mark.kernel
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        assert isinstance(opened.attach(libssl()), Attached)
        assert isinstance(opened.attach(LIBRARIES / str(find_library("gnutls"))), Attached)
        yield opened


def talk(tracer: Tracer, program: Path, folder: Path) -> tuple[Seen, bytes, bytes]:
    """What was seen of one client with one connection, and what the server says of it."""
    with governed(tracer) as workload, tls_server(folder) as server:
        seen = workload.run([program, str(server.port), server.certificate])
        [(out, into)] = server.finished()
    return seen, out, into


def plain(seen: Seen, direction: Direction) -> bytes:
    [tls] = seen.objects()
    return seen.plaintext(tls, direction)


def test_openssl_is_counted_when_it_accepts(tracer: Tracer, tmp_path: Path) -> None:
    """SSL_write and SSL_write_ex: -1 and again from another buffer, part of a write, bytes looked at by SSL_peek before."""
    seen, out, into = talk(tracer, built("openssl_calls", tmp_path, "-lssl", "-lcrypto"), tmp_path)
    assert plain(seen, Direction.OUT) == out
    assert plain(seen, Direction.IN) == into
    assert not seen.of(TlsLost)


def test_gnutls_is_counted_when_it_accepts(tracer: Tracer, tmp_path: Path) -> None:
    """Retries with the same buffer, another one and none, the first one overwritten; corked sends; a packet of the library's own."""
    seen, out, into = talk(tracer, built("gnutls_calls", tmp_path, "-lgnutls"), tmp_path)
    assert plain(seen, Direction.OUT) == out
    assert plain(seen, Direction.IN) == into[:-7]
    [lost] = seen.of(TlsLost)
    assert (lost.direction, lost.position, lost.size, lost.cause) == (Direction.IN, len(into) - 7, 7, Cause.NO_BUFFER)
    [closed] = seen.of(TlsClosed)
    assert (closed.out_position, closed.in_position, closed.tls.library) == (len(out), len(into), "gnutls")
