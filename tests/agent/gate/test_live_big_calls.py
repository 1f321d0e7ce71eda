"""Live: calls that the kernel cannot copy are read from the stopped thread's memory. Truth is the client's own digest."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.tls_server import TlsServer, tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Chunk, Direction, Loss

pytestmark = pytest.mark.kernel
MIB = 1 << 20
WRITE = """
import hashlib, os, socket, ssl, sys
port, certificate, size, out, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
context = ssl.create_default_context(cafile=certificate)
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
digest = hashlib.sha256()
for _ in range(times):
    data = b"%d 3\\n" % size + os.urandom(size)
    digest.update(data)
    tls.sendall(data)
    got = 0
    while got < 3: got += len(tls.recv(3 - got))
open(out, "w").write(digest.hexdigest())
tls.unwrap()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path) as opened:
        yield opened


def written(tracer: Tracer, server: TlsServer, out: Path, size: int, times: int = 1) -> tuple[str, list[Loss]]:
    """SHA-256 of what was recorded of a client that writes `times` calls of `size` bytes, and what was lost."""
    records = recorded(tracer, [sys.executable, "-c", WRITE, str(server.port), str(server.certificate), str(size), str(out), str(times)])
    digest, position = hashlib.sha256(), 0
    for chunk in of(records, Chunk):
        if chunk.direction is Direction.OUT:
            assert chunk.position == position
            digest.update(chunk.data)
            position += len(chunk.data)
    return digest.hexdigest(), of(records, Loss)


def test_sixty_four_mebibytes_in_one_call_are_whole(server: TlsServer, tmp_path: Path) -> None:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=16384)) as tracer:
        digest, losses = written(tracer, server, tmp_path / "out", 64 * MIB)
    assert losses == []
    assert digest == (tmp_path / "out").read_text()


def test_a_full_ring_is_waited_for(server: TlsServer, tmp_path: Path) -> None:
    """Calls of 1 MiB through a ring of 256 KiB."""
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=64)) as tracer:
        digest, losses = written(tracer, server, tmp_path / "out", MIB, times=5)
    assert losses == []
    assert digest == (tmp_path / "out").read_text()
