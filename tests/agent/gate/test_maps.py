"""Live: maps and rings by their descriptors say the same as through bcc."""

import subprocess
from collections.abc import Iterator

import pytest
from support.kernel import governed, skip_without_kernel

from chaperone.agent.gate.door import RING_SIZE
from chaperone.agent.gate.layout import GateKind, GateRecord, GateState, Thread
from chaperone.agent.gate.maps import Map, RingReader
from chaperone.agent.trace.tracer import Tracer, TracerSettings

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=256)) as opened:
        yield opened


def test_elements_are_put_found_listed_and_removed(tracer: Tracer) -> None:
    halted = Map(tracer.kernel.descriptor("halted"), Thread, Thread)
    for number in (5, 6, 7):
        halted.put(Thread(number), Thread(number * 10))
    halted.remove(Thread(6))
    halted.remove(Thread(6))
    assert sorted(key.number for key in halted.keys()) == [5, 7]  # noqa: SIM118 (no mapping)
    assert halted.get(Thread(6)) is None
    found, told = halted.get(Thread(7)), tracer.kernel.entry("halted", Thread, 7)
    assert found is not None
    assert told is not None
    assert found.number == told.number == 70
    for number in (5, 7):
        halted.remove(Thread(number))


def test_an_array_has_what_was_stored(tracer: Tracer) -> None:
    tracer.kernel.store("gate_state", GateState(4))
    state = Map(tracer.kernel.descriptor("gate_state"), Thread, GateState).get(Thread(0))
    assert state is not None
    assert state.waiting == 4
    tracer.kernel.store("gate_state", GateState())


def test_a_map_that_cannot_take_a_key_says_so(tracer: Tracer) -> None:
    with pytest.raises(OSError, match="cannot set an element"):
        Map(tracer.kernel.descriptor("gate_state"), Thread, GateState).put(Thread(1), GateState())


def test_a_ring_is_read_in_order_over_its_end(tracer: Tracer) -> None:
    """6000 execs of 56 bytes: more than the ring holds at once."""
    ring = RingReader(tracer.kernel.descriptor("gates"), RING_SIZE)
    list(ring.take())
    records: list[GateRecord] = []
    with governed(tracer) as workload:
        for _ in range(6):
            with workload.start(["sh", "-c", "for i in $(seq 1000); do (exec true); done"], stdout=subprocess.DEVNULL) as shell:
                assert shell.wait() == 0
            records += map(GateRecord.from_buffer_copy, ring.take())
    times = [record.head.time for record in records]
    assert times == sorted(times)
    assert len(records) == 6 * 1002
    assert {record.head.kind for record in records} == {GateKind.EXEC}
    ring.close()
