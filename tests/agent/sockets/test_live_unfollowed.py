"""Live: TCP behind more extension headers than are followed. No socket's options make so many, so here fewer are followed."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
from support import tls_clients
from support.ip6_options import OPTIONS
from support.kernel import cgroup, entering, skip_without_kernel
from support.live_recording import of, recorded
from support.tls_server import libssl, tls_server

from chaperone.agent.hold.lock import Lock
from chaperone.agent.trace import tracer as module
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.records import Chunk, Connection, Direction, Note

pytestmark = pytest.mark.kernel
FOLLOWED, FEWER = "#define EXTENSIONS 8", "#define EXTENSIONS 1"
CLIENT = f"""{OPTIONS}
plain = options(socket.socket(socket.AF_INET6))
plain.connect(("::1", PORT))
tls = ssl.create_default_context(cafile=CERT).wrap_socket(plain, server_hostname="localhost")
ask(tls, 1000, 2000)
"""
CONNECT = f"""{OPTIONS}
import socket, sys
plain = socket.socket(socket.AF_INET6)
if sys.argv[2:]: options(plain)
plain.settimeout(1)
plain.connect(("::1", int(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    text = flatten("chaperone.c")
    assert FOLLOWED in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "flatten", lambda _name: text.replace(FOLLOWED, FEWER))
        with Tracer(TracerSettings(ring_pages=1024)) as opened:
            yield opened


def test_what_it_carries_is_unproven_and_said(tracer: Tracer, tmp_path: Path) -> None:
    with tls_server(tmp_path, "::1") as server:
        records = recorded(tracer, tls_clients.command(CLIENT, server.port, server.certificate), "--attach", libssl(), statuses=[0])
    begun, over = of(records, Connection)
    assert (begun.remote, begun.protocol, begun.process == "") == (f"[::1]:{server.port}", "tcp", False)
    why = "unproven: its packets have headers that are not followed"
    assert (over.connection, over.coverage_out, over.coverage_in) == (begun.connection, why, why)
    assert sum(len(chunk.data) for chunk in of(records, Chunk) if chunk.direction is Direction.OUT) == len(b"1000 2000\n") + 1000
    [note] = [note for note in of(records, Note) if note.subject == "connection"]
    assert note.text.startswith("what was said cannot be known, since its packets' headers are not followed: ")
    assert note.text.endswith(f" to [::1]:{server.port}") and not note.complete


def test_of_a_locked_workload_none_of_it_leaves(tracer: Tracer) -> None:
    with cgroup() as path, socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        lock = Lock(tracer.kernel, now_ns())
        argv = [*entering(path), sys.executable, "-c", CONNECT, str(server.getsockname()[1])]
        assert run([*argv, "options"], check=False).returncode == 0
        lock.put_on(path, is_strict=True)
        assert run(argv, check=False).returncode == 0
        assert not lock.dropped
        assert run([*argv, "options"], check=False, capture_output=True).returncode == 1
        assert lock.dropped
