"""Live: a program that nobody can read and that is gone when its hello is heard of is named all the same."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.c_peer import built
from support.kernel import skip_without_kernel
from support.live_recording import Altered, of, recorded
from support.tls_server import tls_server

from chaperone.agent.sockets.values import SocketHello, SocketOpened
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Value
from chaperone.proto.records import Connection, Note


def behind_its_end() -> Callable[[list[Value]], list[Value]]:
    """Hellos are passed on when who sent them is gone, which takes milliseconds here; an agent with much to do is as late."""
    pids: list[int] = []

    def pass_on(values: list[Value]) -> list[Value]:
        pids.extend(value.pid for value in values if isinstance(value, SocketOpened))
        deadline = time.monotonic() + 30
        while any(isinstance(value, SocketHello) for value in values) and any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return values

    return pass_on


@pytest.mark.kernel
def test_the_stack_of_a_program_that_is_gone_is_named(tmp_path: Path) -> None:
    skip_without_kernel()
    program = built("stays", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with tls_server(tmp_path) as server, Tracer(TracerSettings(ring_pages=1024)) as tracer:
        argv = ["/bin/sh", "-c", '"$0" "$@" </dev/null; true', program, str(server.port), server.certificate]
        for _ in range(2):
            records = recorded(Altered(tracer, behind_its_end()), argv, statuses=[0])
            [connection] = [one for one in of(records, Connection) if one.ended]
            assert connection.unread == "OpenSSL"
            assert any(f"{program} (pid " in note.text and ", OpenSSL) to" in note.text for note in of(records, Note))
