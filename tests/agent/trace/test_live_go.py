"""Live: Go programs of any build, stripped, many goroutines, buffers on stacks that move.

The venv's Go builds them; others, as a list of paths, can be named by CHAPERONE_GO.
"""

import os
from pathlib import Path

import pytest
from support.go_peer import GO, STRIPPED, built
from support.kernel import governed
from support.tls_server import tls_server

from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Attached, TlsClosed, TlsLost

pytestmark = pytest.mark.kernel
COMPILERS = [GO, *map(Path, filter(None, os.environ.get("CHAPERONE_GO", "").split(os.pathsep)))]
BUILDS = {"stripped": [STRIPPED], "PIE": ["-buildmode=pie", STRIPPED]}


@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("compiler", COMPILERS, ids=str)
def test_goroutines_are_recorded_byte_for_byte(tracer: Tracer, tmp_path: Path, compiler: Path, flags: list[str]) -> None:
    client = built("tls_client", tmp_path, *flags, compiler=compiler)
    assert isinstance(tracer.attach(client), Attached)
    with governed(tracer) as workload, tls_server(tmp_path) as server:
        seen = workload.run([client, str(server.port), server.certificate])
        assert sorted(seen.conversations()) == sorted(server.finished())
    assert len(seen.objects()) == len(seen.of(TlsClosed)) == 8
    assert not seen.of(TlsLost)


WRITERS, TIMES = 16, 700


def by_writer(data: bytes) -> dict[bytes, list[bytes]]:
    """The numbers that each goroutine wrote, in their order."""
    found: dict[bytes, list[bytes]] = {}
    for line in data.replace(b"12 0\n", b"").splitlines()[:-2]:
        writer, number = line.split()
        found.setdefault(writer, []).append(number)
    return found


def test_of_many_goroutines_on_one_connection_every_byte_is_recorded(tracer: Tracer, tmp_path: Path) -> None:
    """Each write is whole and each goroutine's are in its order; in which order two goroutines' come, only the wire knows."""
    client = built("one_conn", tmp_path)
    assert isinstance(tracer.attach(client), Attached)
    with governed(tracer) as workload, tls_server(tmp_path) as server:
        seen = workload.run([client, str(server.port), server.certificate, str(WRITERS), str(TIMES)])
        [(out, into)] = server.finished()
    [(recorded, answered)] = seen.conversations()
    assert (len(recorded), answered) == (len(out), into)
    assert by_writer(recorded) == by_writer(out) == {b"%03d" % w: [b"%07d" % n for n in range(TIMES)] for w in range(WRITERS)}
    assert not seen.of(TlsLost)
