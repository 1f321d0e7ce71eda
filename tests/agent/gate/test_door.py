"""Live: the process at the door comes, goes when told, and is noticed when it is gone."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from support.descriptors import descriptors
from support.kernel import governed, skip_without_kernel

from chaperone.agent.gate import door as module
from chaperone.agent.gate.door import RING_SIZE, Door
from chaperone.agent.gate.layout import GateKind
from chaperone.agent.trace.tracer import Tracer, TracerSettings

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=256)) as opened:
        yield opened


def test_it_hears_of_execs_and_leaves_nothing_behind(tracer: Tracer) -> None:
    with governed(tracer):
        pass  # its programs are loaded now and stay
    before = descriptors()
    door = Door(tracer.kernel)
    assert (door.pid, door.is_kept) == (0, False)
    door.start()
    door.await_kept()
    with governed(tracer) as workload:
        assert workload.start(["true"]).wait() == 0
    kinds = []
    while (record := door.arrival(1.0)) is not None:
        kinds.append(record.head.kind)
    assert kinds == [GateKind.EXEC]
    assert door.is_kept
    door.close()
    assert (door.is_kept, door.late) == (False, {})
    assert descriptors() <= before


def test_its_death_is_noticed_and_no_error(tracer: Tracer) -> None:
    door = Door(tracer.kernel)
    door.start()
    door.await_kept()
    os.kill(door.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while door.is_kept:
        assert time.monotonic() < deadline
    assert door.arrival(0.1) is None
    door.let_go(5)
    door.close()


def test_it_ends_in_silence_when_the_agent_dies_before_it_has_begun(tracer: Tracer, capfd: pytest.CaptureFixture[str]) -> None:
    door = Door(tracer.kernel)
    door.start()
    door._socket.close()
    assert door._process and door._process.wait(30) == 0
    assert capfd.readouterr().err == ""


def test_one_that_does_not_come_is_an_error(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_SIZE", RING_SIZE * 1024)
    door = Door(tracer.kernel)
    door.start()
    with pytest.raises(RuntimeError, match="did not start"):
        door.await_kept()
    door.close()
