"""Each is said once, where it belongs; counts are made up."""

import pytest
from support.tracer_double import TracerDouble

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.shortcomings import Shortcomings
from chaperone.agent.trace.values import Lost
from chaperone.proto.ids import SessionId
from chaperone.proto.records import NO_SESSION

ONE, OTHER = SessionId("one"), SessionId("other")
CONNECTS = "connects were not met"
EVENTS = "events of processes and connections did not fit into the kernel's ring"
RECORDS = "records of processes and streams did not fit into the agent's memory"


class Scene:
    def __init__(self) -> None:
        self.tracer, self.outbox = TracerDouble(), Outbox(Limits())
        self.gate = self.tracer.gate
        self.shortcomings = Shortcomings(self.tracer, self.gate, self.outbox)

    def last(self, session: SessionId, *workloads: int) -> list[str]:
        return list(self.shortcomings.last(workloads, session))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_is_known_whose_it_is_is_said_there_once(scene: Scene) -> None:
    scene.gate.unlooked, scene.tracer.counts = {1: 2, 5: 7}, Lost(events=3)
    assert scene.last(ONE, 1, 2) == [f"3 {EVENTS}", f"2 {CONNECTS}"]
    assert scene.last(ONE, 1, 2) == []


def test_a_workload_that_another_session_takes_over_takes_nothing_along(scene: Scene) -> None:
    scene.gate.unlooked = {1: 2}
    assert list(scene.shortcomings.news(1)) == [f"2 {CONNECTS}"]
    scene.gate.unlooked = {1: 5}
    assert scene.last(OTHER, 1) == [f"3 {CONNECTS}"]


def test_of_nobody_knows_whom_is_said_in_each_session_that_there_was_meanwhile(scene: Scene) -> None:
    scene.shortcomings.begin(ONE)
    scene.gate.unlooked = {0: 4}
    scene.outbox.missed[NO_SESSION] = 6
    scene.shortcomings.begin(OTHER)
    scene.gate.unlooked = {0: 5}
    assert scene.last(ONE) == [f"5 {CONNECTS}; whose is not known", f"6 {RECORDS}; whose is not known"]
    assert scene.last(OTHER) == [f"1 {CONNECTS}; whose is not known"]


def test_what_a_session_lost_of_its_records_is_its(scene: Scene) -> None:
    scene.outbox.missed[ONE] = 3
    assert scene.last(ONE) == [f"3 {RECORDS}"]
    assert scene.last(ONE) == []


def test_a_failed_gate_is_said_to_all(scene: Scene) -> None:
    scene.gate.broken = True
    scene.shortcomings.begin(ONE)
    assert scene.last(ONE) == scene.last(OTHER) == ["1 connect gate failed: whoever connected afterwards went unlooked"]


def test_a_number_that_is_anothers_begins_anew(scene: Scene) -> None:
    scene.gate.unlooked = {1: 2}
    assert scene.last(ONE, 1)
    scene.shortcomings.forget(1)
    assert scene.last(OTHER, 1) == [f"2 {CONNECTS}"]
