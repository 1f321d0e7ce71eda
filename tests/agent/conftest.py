"""What live tests of the agent share: a tracer with a ring that holds all they say, and a TLS server to say it to. Some have their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.tls_server import TlsServer, tls_server

from chaperone.agent.trace.tracer import Tracer, TracerSettings


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path) as opened:
        yield opened
