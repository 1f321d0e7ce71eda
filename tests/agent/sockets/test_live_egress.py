"""Live: where else a workload connects to, in a network namespace of its own. glibc asks a real name server, over UDP and TCP."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.name_server import ALIAS, BIG, BIG_ADDRESSES, SIX, Place, name_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline.records import Pipeline
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import Connection, NameAnswer, Note, Record

pytestmark = pytest.mark.kernel

# Ask for a name, and send a datagram to what it leads to: nobody needs to listen there.
ASK = """
import socket, sys
for name, family in (({alias!r}, socket.AF_INET), ({six!r}, socket.AF_INET6), ({big!r}, socket.AF_INET)):
    found = socket.getaddrinfo(name, 9, family, socket.SOCK_DGRAM)
    print(name, len(found))
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", found[-1][4])
"""
# One socket that speaks with two peers, and what begins as QUIC does (RFC 9000 §17.2.2), a draft of it, and what only looks so.
DATAGRAMS = """
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in (1, 2, 1): one.sendto(bytes(100 * number), ("127.0.0.1", 4000 + number))
for port, begin in ((443, "c000000001"), (444, "d06b3343cf"), (445, "c0ff00001d"), (446, "4000000001"), (447, "c012345678")):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.sendto(bytes.fromhex(begin) + bytes(1195), ("127.0.0.1", port))
    opened.sendto(bytes(200), ("127.0.0.1", port))
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    skip_without_kernel()
    with name_server(tmp_path) as found:
        yield found


def rows_of(records: list[Record]) -> list[Row]:
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for record in records:
        pipeline.take(record, 0)
    return rows


def test_connections_carry_the_name_that_was_asked_for(tracer: Tracer, place: Place) -> None:
    program = ASK.format(alias=ALIAS, six=SIX, big=BIG)
    records = recorded(tracer, place.inside([sys.executable, "-c", program]), statuses=[0])
    documents = [row.document for row in rows_of(records) if row.kind is Kind.CONNECTION and "ended" in row.document]
    names = {document["remote"]: document["names"] for document in documents if not document["remote"].endswith(":53")}
    assert names.pop("127.0.0.9:9") == [ALIAS]
    assert names.pop("[::1]:9") == [SIX]
    [(remote, asked)] = names.items()
    assert (remote.rpartition(":")[0] in BIG_ADDRESSES, asked) == (True, [BIG])
    assert {answer.protocol for answer in of(records, NameAnswer)} == {"udp", "tcp"}


def test_each_peer_of_a_datagram_socket_is_a_connection_and_quic_is_named(tracer: Tracer, place: Place) -> None:
    records = recorded(tracer, place.inside([sys.executable, "-c", DATAGRAMS]), statuses=[0])
    over = {one.remote: one for one in of(records, Connection) if one.ended}
    sent = {remote.removeprefix("127.0.0.1:"): (one.tls, one.unread, one.wire_out) for remote, one in over.items()}
    assert sent == {
        "4001": ("", "", 200),
        "4002": ("", "", 200),
        "443": ("QUIC v1", "QUIC", 1400),
        "444": ("QUIC v2", "QUIC", 1400),
        "445": ("QUIC draft-29", "QUIC", 1400),
        "446": ("", "", 1400),
        "447": ("", "", 1400),
    }
    assert over["127.0.0.1:443"].coverage_out == "unproven: QUIC is not read"
    notes = [note.text for note in of(records, Note)]
    assert len(notes) == 3
    assert notes[0].startswith(f"QUIC: {Path(sys.executable).resolve()} (pid ")
    assert notes[0].endswith(" to 127.0.0.1:443; its plaintext is not recorded")


def test_only_answers_of_name_servers_are_told(tracer: Tracer, place: Place) -> None:
    """A query that nobody can answer, and the failure that comes back, bring nothing."""
    program = "import socket\ntry: socket.getaddrinfo('nowhere.zoo.test', 9)\nexcept OSError: pass"
    records = recorded(tracer, place.inside([sys.executable, "-c", program]), statuses=[0])
    assert any(one.remote == "127.0.0.1:53" for one in of(records, Connection))
    assert of(records, NameAnswer) == []
