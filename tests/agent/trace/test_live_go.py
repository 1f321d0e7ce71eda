"""Live: Go programs of any build, stripped, many goroutines, buffers on stacks that move.

The venv's Go builds them; others, as a list of paths, can be named by CHAPERONE_GO.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.go_peer import GO, STRIPPED, built
from support.kernel import governed, skip_without_kernel
from support.tls_server import tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached, TlsClosed, TlsLost

pytestmark = pytest.mark.kernel
COMPILERS = [GO, *map(Path, filter(None, os.environ.get("CHAPERONE_GO", "").split(os.pathsep)))]
BUILDS = {"stripped": [STRIPPED], "PIE": ["-buildmode=pie", STRIPPED]}


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        yield opened


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
