"""Live: where record sizes do not tell how many bytes there were, coverage proves nothing and says why; the bytes are there.

The server turns each line around (openssl s_server -rev), or is the one of the other tests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import tls_clients
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.s_server import s_server
from support.tls_server import libssl, tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Chunk, Connection, Direction, Note, Record

pytestmark = pytest.mark.kernel
S_CLIENT = "openssl s_client -quiet -no_ign_eof -CAfile $1 -connect 127.0.0.1:$0 -servername localhost"
LINES = [b"one line of some length\n", b"another\n", b"and the third of them, which is longer than both\n"]
LINE_BY_LINE = "".join(f"printf '%s\\n' '{line.decode().strip()}'; sleep 0.2; " for line in LINES)
# s_client's command K: a KeyUpdate that asks for one of the other side
UPDATING = "printf '3 7\\nabc'; sleep 0.3; echo K; sleep 0.3; printf '4 6\\nabcd'; sleep 0.3"
CBC = ("cafile=CERT)", "cafile=CERT); context.maximum_version = ssl.TLSVersion.TLSv1_2; context.set_ciphers('ECDHE-ECDSA-AES128-SHA256')")


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


def captured(records: list[Record], direction: Direction) -> bytes:
    return b"".join(chunk.data for chunk in of(records, Chunk) if chunk.direction is direction)


def talked(tracer: Tracer, directory: Path, client: str = "", server: tuple[str, ...] = ()) -> tuple[Connection, list[str]]:
    """Lines said to a server that turns them around, of which every byte was captured: the connection, and what is noted."""
    with s_server(directory, "-rev", *server) as place:
        argv = ["/bin/sh", "-c", f"({LINE_BY_LINE}) | {S_CLIENT} {client} >/dev/null 2>&1", str(place.port), place.certificate]
        records = recorded(tracer, argv, "--attach", libssl())
    assert captured(records, Direction.OUT) == b"".join(LINES)
    assert captured(records, Direction.IN) == b"".join(line.rstrip()[::-1] + b"\n" for line in LINES)
    return over(records), [note.text for note in of(records, Note)]


def over(records: list[Record]) -> Connection:
    [one] = [one for one in of(records, Connection) if one.ended]
    return one


def test_plain_records_are_counted_to_the_byte(tracer: Tracer, tmp_path: Path) -> None:
    one, notes = talked(tracer, tmp_path)
    assert (one.coverage_out, one.coverage_in, notes) == ("complete", "complete", [])


def test_updated_keys_prove_nothing(tracer: Tracer, tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        argv = ["/bin/sh", "-c", f"({UPDATING}) | {S_CLIENT} >/dev/null 2>&1", str(server.port), server.certificate]
        records = recorded(tracer, argv, "--attach", libssl())
        [(out, into)] = server.finished()
    assert (captured(records, Direction.OUT), captured(records, Direction.IN)) == (out, into)
    assert (out, len(into)) == (b"3 7\nabc4 6\nabcd", 13)
    one = over(records)
    assert (one.coverage_out, one.coverage_in) == ("unproven: keys were updated", "unproven: keys were updated")
    assert not of(records, Note)


def test_a_servers_padding_proves_nothing_of_its_bytes(tracer: Tracer, tmp_path: Path) -> None:
    one, notes = talked(tracer, tmp_path, server=("-record_padding", "256"))
    assert (one.coverage_out, one.coverage_in) == ("complete", "unproven: records are padded to multiples of 256 bytes")
    assert notes == []


def test_a_clients_padding_proves_nothing_of_its_bytes(tracer: Tracer, tmp_path: Path) -> None:
    """Nor do its records show whose they are: the plaintext is recorded, tied to no socket, and what came in on that is a gap."""
    one, notes = talked(tracer, tmp_path, client="-record_padding 100")
    assert one.coverage_out == "unproven: the client's Finished was not recognised"
    assert any(note.startswith("unassociated: ") for note in notes)


def test_a_cipher_that_pads_proves_nothing(tracer: Tracer, tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        sizes = [(100, 1), (5000, 40_000)]
        command = tls_clients.command(tls_clients.SYNC.format(sizes=sizes), server.port, server.certificate)
        records = recorded(tracer, [part.replace(*CBC) for part in command], "--attach", libssl(), statuses=[0])
        [(out, into)] = server.finished()
    assert (captured(records, Direction.OUT), captured(records, Direction.IN)) == (out, into)
    [one] = [one for one in of(records, Connection) if one.ended]
    assert {one.coverage_out, one.coverage_in} == {"unproven: record sizes of this cipher are not exact (TLS 1.2)"}
