import pytest
from support.kernel import skip_without_kernel
from support.tls_server import libssl, tls_server

from chaperone.agent.trace.tracer import Tracer


@pytest.fixture(scope="package")
def tracer():
    skip_without_kernel()
    with Tracer() as made:
        made.attach(libssl())
        yield made


@pytest.fixture
def server(tmp_path):
    with tls_server(tmp_path) as made:
        yield made
