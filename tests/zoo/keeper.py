"""Record one client of the zoo and judge the recording by the server's own byte log.

Read: each connection's stream has every byte, tied to the port the server saw. Not read: the connection is named with its TLS stack
and its bytes. Anything else is a fault, and silence the worst.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from support.apiserver import ApiServer, running
from support.live_recording import of, recorded
from support.tls_server import TlsServer, tls_server
from zoo.clients import ZOO, Client, Place

from chaperone.agent.trace.tracer import Tracer
from chaperone.collector.cli.clients import STACKS
from chaperone.collector.cli.launch.command import Command, files_to_probe
from chaperone.proto.records import Bound, Chunk, Connection, Direction, Note, Record

READ = {stack.name: stack for stack in STACKS}


@dataclass(frozen=True, slots=True)
class Truth:
    """One connection as the server logged it. `peer`: the client's port."""

    peer: int
    out: bytes
    into: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one client. `faults`: sentences; none if the recording says what the server says."""

    client: Client
    out: int
    into: int
    named: str
    faults: tuple[str, ...]


def missing(client: Client) -> str:
    """What the client needs and this machine lacks."""
    lacks = [str(need) for need in client.needs if need is None or not Path(need).exists()]
    return ", ".join(lacks)


def visit(tracer: Tracer, client: Client, folder: Path) -> Visit:
    """Run the client once."""
    with _place(client, folder) as (place, truths):
        argv = client.argv(place)
        records = recorded(tracer, argv, *_attached(client, argv), linger_s=0.7, statuses=client.statuses)
        expected = truths()
    found = {_port(one.local): one for one in of(records, Connection) if one.ended and one.tls}
    judge = _read if READ[client.stack].is_read else _named
    faults = [fault for truth in expected for fault in judge(client, records, truth, found.get(truth.peer))]
    notes = [note.text for note in of(records, Note) if "uninstrumented" in note.text]
    if not expected:
        faults.append("it called nobody")
    return Visit(client, sum(len(one.out) for one in expected), sum(len(one.into) for one in expected), "; ".join(notes), tuple(faults))


def _read(client: Client, records: list[Record], truth: Truth, connection: Connection | None) -> Iterator[str]:
    if connection is None:
        yield f"no connection from port {truth.peer}"
        return
    streams = {bound.stream for bound in of(records, Bound) if bound.cookie == connection.cookie}
    out, into = (_joined(records, streams, direction) for direction in Direction)
    if out != truth.out:
        yield f"{len(out)} bytes out, not the {len(truth.out)} that the server got"
    if into != truth.into and not (truth.into.startswith(into) and connection.coverage_in.startswith("unproven")):
        yield f"{len(into)} bytes in, not the {len(truth.into)} that the server sent ({connection.coverage_in})"
    if connection.coverage_out != "complete":
        yield f"its coverage is {connection.coverage_out}"


def _named(client: Client, records: list[Record], truth: Truth, connection: Connection | None) -> Iterator[str]:
    if connection is None:
        yield f"silent: no connection from port {truth.peer}"
        return
    if connection.app_out < len(truth.out) or not connection.coverage_out.startswith(("gap", "unproven")):
        yield f"{connection.app_out} of {len(truth.out)} bytes are stated, coverage {connection.coverage_out}"
    spoken = READ[client.stack].spoken
    if not any("uninstrumented" in note.text and spoken in note.text for note in of(records, Note)):
        yield f"no note names {spoken}: {[note.text for note in of(records, Note)]}"


def _joined(records: list[Record], streams: set[str], direction: Direction) -> bytes:
    chunks = [chunk for chunk in of(records, Chunk) if chunk.stream in streams and chunk.direction is direction]
    return b"".join(chunk.data for chunk in sorted(chunks, key=lambda chunk: chunk.position))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _attached(client: Client, argv: list[str | Path]) -> list[str]:
    """What `chaperone run` probes before the command starts, and what the client names besides."""
    path = Path(which(str(argv[0])) or argv[0])
    search = os.environ["PATH"]
    files = [*files_to_probe(Command(path, tuple(map(str, argv)), search))]
    files += [file for pattern in client.attach for file in ZOO.glob(f"venv/lib/python3*/site-packages/{pattern}")]
    return [option for file in files for option in ("--attach", str(file))]


@contextmanager
def _place(client: Client, folder: Path):  # type: ignore[no-untyped-def]
    """A server, and a function that tells what it logged."""
    if client.server == "lines":
        with tls_server(folder) as server:
            yield Place(folder, server.port, server.certificate), lambda: _lines(server)
    else:
        with running(folder / "api") as api:
            place = Place(folder, api.port, api.ca, api.kubeconfig, api.token)
            yield place, lambda: _api(api)


def _lines(server: TlsServer) -> list[Truth]:
    assert all(one.done.wait(20) for one in server.conversations)
    return [Truth(one.peer, one.out, one.into) for one in server.conversations if one.out]


def _api(api: ApiServer) -> list[Truth]:
    """Connections that were only opened say nothing. Logs are written as bytes come; a client that ended has nothing more to say."""
    time.sleep(0.2)
    logs = [(told["client"][1], api.plaintext(number)) for number, told in sorted(api.connections().items())]
    return [Truth(peer, out, into) for peer, (out, into) in logs if out]
