"""Live: bytes that go through TLS and that no probe can read are stated with their size and cause."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import running
from support.c_peer import built
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.s_server import s_server
from support.tls_server import libssl, patterned, tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Cause, Chunk, Connection, Direction, Loss, Note, Record

pytestmark = pytest.mark.kernel
NOT_BY_THE_KERNEL = 3  # tests/peers/kernel_tls.c
EARLY, LATER = (
    b"GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"e" * 300,
    b"POST /later HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"l" * 500,
)
# A first connection brings a ticket, the second begins with 0-RTT data. Each stays until a ticket has come, however busy the machine.
RESUMING = """
cd "$3"
connect="openssl s_client -quiet -no_ign_eof -CAfile $2 -connect 127.0.0.1:$1 -servername localhost"
until_ticket() { while ! [ -s "$1" ]; do sleep 0.05; done; }
(printf first; until_ticket session) | $connect -sess_out session >/dev/null 2>&1
(until_ticket next; cat later; sleep 0.5) | $connect -sess_in session -sess_out next -early_data early >/dev/null 2>&1
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


def over(records: list[Record]) -> list[Connection]:
    return [one for one in of(records, Connection) if one.ended]


@pytest.mark.parametrize("is_taken", [True, False], ids=["taken", "refused"])
def test_early_data_is_stated_and_what_follows_is_read(tracer: Tracer, tmp_path: Path, is_taken: bool) -> None:
    (tmp_path / "early").write_bytes(EARLY)
    (tmp_path / "later").write_bytes(LATER)
    with s_server(tmp_path, *(["-early_data"] if is_taken else []), "-max_early_data", "16384") as server:
        argv = ["/bin/sh", "-c", RESUMING, "sh", str(server.port), server.certificate, tmp_path]
        records = recorded(tracer, argv, "--attach", libssl(), statuses=[0])
    assert (EARLY in server.printed, LATER in server.printed) == (is_taken, True)
    [loss] = of(records, Loss)
    assert (loss.direction, loss.position, loss.size, loss.cause) == (Direction.OUT, 0, len(EARLY), Cause.EARLY)
    sent = b"".join(chunk.data for chunk in of(records, Chunk) if chunk.stream == loss.stream and chunk.direction is Direction.OUT)
    assert sent == LATER
    first, second = over(records)
    assert (first.coverage_out, first.coverage_in) == ("complete", "complete")
    assert second.coverage_out == f"gap: {len(EARLY)} bytes"
    assert second.coverage_in.startswith("unproven: behind 0-RTT data")


def test_what_the_kernel_encrypts_is_stated_where_no_call_brought_it(tracer: Tracer, tmp_path: Path) -> None:
    """SSL_write is read as ever; SSL_sendfile's bytes are a loss; what is written to the socket itself is a gap, with its size."""
    program, sent = built("kernel_tls", tmp_path, "-lssl", "-lcrypto"), tmp_path / "sent"
    sent.write_bytes(patterned(40_000))
    with tls_server(tmp_path) as server:
        argv = [program, server.port, server.certificate, sent, 40_000]
        if subprocess.run([*map(str, argv)], check=False).returncode == NOT_BY_THE_KERNEL:
            pytest.skip("this kernel does not encrypt (CONFIG_TLS), or this libssl does not ask it to")
        records = recorded(tracer, argv, "--attach", libssl(), statuses=[0])
        *_, (out, into) = server.finished()
    losses = {(loss.position, loss.size, loss.cause) for loss in of(records, Loss)}
    assert losses == {(len(b"40000 100\n"), 40_000, Cause.NO_BUFFER)}
    captured = b"".join(chunk.data for chunk in of(records, Chunk) if chunk.direction is Direction.OUT)
    assert captured == b"40000 100\n" + b"1000 200\n"
    [one] = over(records)
    assert len(out) - len(captured) == 41_000
    missing = 41_000 + 2  # the closing alert, which nobody can tell from data
    assert (one.captured_out, one.coverage_out) == (len(captured), f"gap: {missing} bytes")
    assert one.captured_in == len(into)
    assert one.coverage_in.startswith("unproven: ")  # where bytes out are unknown, tickets may have been answers to them


# OpenSSL and, in the same process, gRPC with a BoringSSL of its own; both connections stay open for a while.
TWO = """
import http.client, ssl, sys, time
import grpc
port, certificate = int(sys.argv[1]), sys.argv[2]
read = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=certificate))
read.request("GET", "/version")
read.getresponse().read()
with grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(open(certificate, "rb").read())) as channel:
    try: channel.unary_unary("/zoo.Zoo/Ask", bytes, bytes)(b"x" * 1000, timeout=20)
    except grpc.RpcError as error: assert error.code() is not grpc.StatusCode.UNAVAILABLE, error
    time.sleep(3)  # it is told of while it is there, on a busy machine too
"""


def test_a_library_that_nobody_reads_is_told_of_in_a_program_that_is_read(tracer: Tracer, tmp_path: Path) -> None:
    with running(tmp_path) as api:
        records = recorded(tracer, [sys.executable, "-c", TWO, str(api.port), api.ca], "--attach", libssl(), statuses=[0])
    first, second = sorted(over(records), key=lambda one: one.time)
    assert (first.unread, first.coverage_out, first.coverage_in) == ("", "complete", "complete")
    assert (second.unread, second.captured_out, second.captured_in) == ("BoringSSL", 0, 0)
    assert 0 < second.known < second.ended
    [note] = [note for note in of(records, Note) if note.subject == "connection"]
    assert note.text.startswith("TLS from an uninstrumented library: ")
    assert f"BoringSSL) to 127.0.0.1:{api.port}" in note.text
    assert not note.complete
