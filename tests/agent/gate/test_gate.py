"""Live: what the gate does when its own parts fail; clients are in test_live_gate."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

import pytest
from support.kernel import governed, skip_without_kernel

from chaperone.agent.gate import gate as module
from chaperone.agent.gate.layout import GateKind, ReadRecord
from chaperone.agent.trace.layout import Head, TlsRecord
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import NotCovered
from chaperone.agent.workload.image import Image

pytestmark = pytest.mark.kernel
FILE = (8, 1, 5, 9)
NO_PROBES = "files that speak TLS got no probes from the kernel"
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=256, spinners=0)) as opened:
        yield opened


@pytest.fixture
def port() -> Iterator[str]:
    with create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_it_opens_when_the_process_at_the_door_dies(tracer: Tracer, port: str) -> None:
    gate = tracer.open_gate()
    with governed(tracer) as workload:
        gate.watch(1, workload.path)
        os.kill(gate.door.pid, signal.SIGKILL)
        gate.join(60)
        assert not gate.is_alive()
        workload.run([sys.executable, "-c", CONNECT, port])
    assert gate.broken
    assert gate.missed == 1
    gate.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_opens_when_its_own_thread_fails(tracer: Tracer, port: str) -> None:
    gate = tracer.open_gate()
    gate.programs.look = lambda image, seen=0: 1 // 0  # type: ignore[method-assign]
    with governed(tracer) as workload:
        gate.watch(1, workload.path)
        workload.run([sys.executable, "-c", CONNECT, port])
        gate.join(60)
    assert gate.missed == 1
    gate.close()


def test_who_has_waited_too_long_goes_on_and_is_counted(tracer: Tracer, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_NS", 0)
    gate = tracer.open_gate()
    gate.programs.executed = lambda image: None  # type: ignore[method-assign]
    with governed(tracer) as workload:
        gate.watch(1, workload.path)
        [number] = tracer.cgroups.taken
        workload.run([sys.executable, "-c", CONNECT, port])
    gate.close()
    assert gate.late == {number: 1}
    assert gate.missed == 1


def test_who_has_waited_too_long_while_it_was_looked_into_is_counted(tracer: Tracer, port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door lets it go by then, whether the look is over or not."""
    monkeypatch.setattr(module, "PATIENCE_NS", 300_000_000)
    gate = tracer.open_gate()
    gate.programs.executed = lambda image: None  # type: ignore[method-assign]
    gate.programs.look = lambda image, seen=0: time.sleep(0.5) or 0  # type: ignore[method-assign]
    with governed(tracer) as workload:
        gate.watch(1, workload.path, is_new=True)
        workload.run([sys.executable, "-c", CONNECT, port])
    gate.close()
    assert gate.late.total() == gate.missed == 1


def test_a_file_without_probes_is_counted_with_each_workload_that_maps_it(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, us = tracer.open_gate(), Image(os.getpid(), 0, -1)
    monkeypatch.setattr(gate.files, "known", lambda identity: NotCovered("", refused=True) if identity == FILE else None)
    monkeypatch.setattr(gate.files, "attach", lambda descriptor: NotCovered("", refused=True))
    for workload in (0, 3, 4, 4):
        assert gate._knows(us._replace(workload=workload), FILE)
    with Path(sys.executable).open() as other:
        assert gate._attach(us, other.fileno())
    assert {workload: dict(gate.shortcomings(workload))[NO_PROBES] for workload in (0, 3, 4)} == {0: 1, 3: 1, 4: 1}
    gate.leave(4)
    assert dict(gate.shortcomings(4))[NO_PROBES] == 0, "its number is another's"
    gate.close()


def test_nobody_at_the_gate_waits_for_programs_to_be_loaded(tracer: Tracer) -> None:
    """Those of Go's returns take the verifier long, on a very busy node longer than anybody is let wait."""
    tracer.open_gate().close()
    assert {"on_go_write_return", "on_go_read_return"} <= tracer.kernel.programs.keys()


def standing() -> ReadRecord:
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return ReadRecord(tls=TlsRecord(head=Head(kind=GateKind.READ, time=now)), thread=2**22 + 5)


def test_who_stands_at_a_closed_gate_is_not_read(tracer: Tracer) -> None:
    gate = tracer.open_gate()
    gate._held.append(standing())
    gate.close()
    with gate.held() as held:
        assert held is None


def test_a_gate_that_closes_while_somebody_is_read_lets_go_all_the_same(tracer: Tracer) -> None:
    gate = tracer.open_gate()
    gate._held.append(standing())
    with gate.held() as held:
        assert held
        gate.close()


def test_one_gate_follows_another(tracer: Tracer, port: str) -> None:
    for _ in range(2):
        gate = tracer.open_gate()
        with governed(tracer) as workload:
            gate.watch(1, workload.path)
            workload.run([sys.executable, "-c", CONNECT, port])
        gate.close()
        assert gate.missed == 0


def test_what_was_told_before_anybody_was_at_the_door_is_not_looked_into(tracer: Tracer) -> None:
    with governed(tracer) as workload:
        workload.run(["/bin/true", "before"])
        gate, told = tracer.open_gate(), list[Image]()
        gate.programs.executed = told.append  # type: ignore[method-assign,assignment]
        gate.watch(1, workload.path, is_new=True)
        behind = workload.start(["/bin/true", "behind"])
        deadline = time.monotonic() + 30
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
        assert behind.wait(30) == 0
    gate.close()
    assert [image.pid for image in told] == [behind.pid]


def test_what_is_full_is_counted_and_lets_pass(tracer: Tracer, port: str) -> None:
    """Nobody reads the ring: after some thousand execs it has no room, and nobody may wait."""
    gate = tracer.open_gate()
    os.kill(gate.door.pid, signal.SIGSTOP)
    try:
        with governed(tracer) as workload:
            gate.hooks.attach(1, workload.path)
            assert workload.start(["sh", "-c", "for i in $(seq 5000); do (exec true); done"]).wait() == 0
            workload.run([sys.executable, "-c", CONNECT, port])
            [number] = tracer.cgroups.taken
            assert tracer.lost_of(number).connects == 1
    finally:
        os.kill(gate.door.pid, signal.SIGCONT)
        gate.close()
