"""What goes through io_uring is held and counted too, whether the caller's own thread sends it or one of the kernel's."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.c_peer import built
from support.enforced import DENYING, Enforced, enforced
from support.tls_server import TlsServer

from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.values import SocketDenied
from chaperone.proto.records import Hold

pytestmark = pytest.mark.kernel
COVERING = replace(DENYING, covers=True)
HOW = ["inline", "worker", "poller"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("ring_client", tmp_path_factory.mktemp("ring"), "-lssl", "-lcrypto")


def denied(it: Enforced) -> list[Denied]:
    return [value.why for value in it.values if isinstance(value, SocketDenied)]


def sent(server: TlsServer) -> bytes:
    return b"".join(out for out, _ in server.finished())


@pytest.mark.parametrize("how", HOW)
def test_it_waits_and_leaves_once_it_was_let_go(tracer, server, program, how) -> None:
    said_before = []

    def decide(hold: Hold) -> Order:
        said_before.append(b"".join(one.out for one in server.conversations))
        return Order(hold.hold, Name.PASS)

    with enforced(tracer, COVERING) as it:
        assert it.run([str(program), str(server.port), how], decide) == (0, "5\n")
        assert ([hold.data for hold in it.asked], said_before, it.outcomes()) == ([b"0 5\n"], [b""], ["pass"])
        assert (denied(it), sent(server)) == ([], b"0 5\n")


@pytest.mark.parametrize("how", HOW)
def test_more_than_that_does_not_leave(tracer, server, program, how) -> None:
    with enforced(tracer, COVERING) as it:
        status, said = it.run([str(program), str(server.port), how, "more"])
        assert status and said in ("", "5\n")
        assert denied(it) in (
            [Denied.BEYOND],
            [Denied.BYTES],
        )  # that of its object, or of nobody whom the kernel's thread is known to send for
        assert sent(server) == b"0 5\n"


@pytest.mark.parametrize("how", HOW)
def test_tls_that_nobody_reads_does_not_begin(tracer, server, tmp_path, how) -> None:
    alone = built("ring_client", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with enforced(tracer, COVERING) as it:
        status, _ = it.run([str(alone), str(server.port), how])
        assert status and (denied(it), sent(server)) == ([Denied.HELLO], b"")
