"""What is in force, by what agents said."""

from dataclasses import dataclass, field, replace

import pytest

from chaperone.collector.pipeline import effective as module
from chaperone.collector.pipeline.effective import Modes
from chaperone.collector.rules.terms import OnFailure, Terms
from chaperone.collector.store.recall import OpenSession, Past
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    BreakGlass,
    Connection,
    Direction,
    Hold,
    Note,
    Outcome,
    Record,
    SessionEnded,
    SessionStarted,
    StreamOpened,
)

SESSION, STREAM, PROCESS = SessionId("5" * 32), StreamId("a" * 32), ProcessId("p" * 32)
BEGUN = SessionStarted(SESSION, "w", 1)
OPENED = StreamOpened(STREAM, PROCESS, SESSION, 2, "openssl")


@dataclass
class World:
    acts: bool = True
    on_failure: OnFailure = OnFailure.ALLOW
    hears: bool = True
    modes: Modes = field(init=False)

    def __post_init__(self) -> None:
        self.modes = Modes(self, lambda agent: self.hears and agent == "agent")

    def terms(self, session: str) -> Terms:
        return Terms(on_failure=self.on_failure)

    def is_acting(self, session: str) -> bool:
        return self.acts

    def said(self, *records: Record) -> "World":
        for record in records:
            self.modes.take(record, "agent")
        return self

    def now(self) -> tuple[str, str, list[str]]:
        found = self.modes.of(SESSION)
        return found["wished"], found["effective"], found["why"]


def hold(number: int, order: str = "pass", result: str = "") -> tuple[Record, Record]:
    return Hold(f"h{number}", STREAM, Direction.OUT, number, 1, number, b"x"), Outcome(f"h{number}", order, number, result)


def test_what_is_held_and_decided_in_time_is_as_wished() -> None:
    assert World().said(BEGUN, OPENED, *hold(1)).now() == ("enforce", "enforce", [])
    assert World(acts=False).said(BEGUN, OPENED).now() == ("record", "record", [])


def test_an_agent_that_nobody_hears_enforces_nothing() -> None:
    assert World().now() == ("enforce", "nothing", ["its agent has not been heard since this collector began"])
    found = World(hears=False).said(BEGUN, OPENED, *hold(1)).now()
    assert found == ("enforce", "nothing", ["its agent is not connected: what it holds it decides by onFailure"])


def test_an_agent_that_holds_nothing_only_records() -> None:
    assert World().said(BEGUN).now() == ("enforce", "enforce", ["nothing was held yet"])
    assert World().said(BEGUN, OPENED).now() == ("enforce", "record", ["its agent holds nothing: it was not told to, or cannot"])


def test_what_was_said_before_rules_acted_tells_nothing() -> None:
    world = World(acts=False).said(BEGUN, OPENED)
    world.acts = True
    assert world.now() == ("enforce", "enforce", ["nothing was held yet"])


def test_verdicts_that_come_too_late_are_counted_and_at_last_decided_by_the_agent() -> None:
    world = World(on_failure=OnFailure.DENY).said(BEGUN, OPENED, *hold(1), *hold(2, "timeout-deny", "connection"))
    assert world.now() == ("enforce", "enforce", ["1 verdict came too late: decided by onFailure (deny)"])
    world.said(*hold(3, "timeout-deny", "connection"), *hold(4, "timeout-deny", "connection: its socket is not known"))
    _, effective, why = world.now()
    assert effective == "deny" and why == [
        "3 verdicts came too late: decided by onFailure (deny)",
        "the last calls were all decided by the agent itself, which asks only once a second then",
    ]
    assert world.said(*hold(5)).now()[1] == "enforce", "one came in time again"
    assert World().said(BEGUN, OPENED, *(each for n in range(3) for each in hold(n, "timeout-allow"))).now()[1] == "allow"


def test_a_process_that_cannot_be_traced_is_governed_by_the_agents_own_answer() -> None:
    world = World().said(BEGUN, OPENED)
    for number in range(3):
        held, _ = hold(number)
        world.said(held, Outcome(f"h{number}", "timeout-allow", number, "its process cannot be traced"))
    wished, effective, why = world.now()
    assert (wished, effective) == ("enforce", "allow")
    assert why[0] == "3 times: its process cannot be traced (onFailure: allow)" and "came too late" not in " ".join(why)
    held, _ = hold(9)
    world.said(held, Outcome("h9", "kill", 9, "write cannot be done: OrderError"))
    assert world.now()[1] == "enforce" and "once: write cannot be done: OrderError (onFailure: allow)" in world.now()[2]


def test_what_an_agent_could_not_do_and_cannot_read_is_why() -> None:
    unread = Connection(ConnectionId("c"), SESSION, PROCESS, 3, unread="rustls", known=4)
    note = Note(SESSION, 5, "enforcement", "tracing is forbidden: EPERM")
    other = Note(SESSION, 6, "agent", "something else")
    world = World().said(BEGUN, OPENED, *hold(1), unread, unread, note, other)
    assert world.now() == ("enforce", "enforce", ["1 connection is not read (rustls): uncovered says alert", "tracing is forbidden: EPERM"])


def test_a_restarted_collector_knows_whose_streams_go_on() -> None:
    world = World()
    world.modes.recall(Past([OpenSession({"id": SESSION}, [], [{"id": STREAM}])]))
    assert world.now()[1] == "nothing"
    assert world.said(*hold(1)).now() == ("enforce", "enforce", [])


def test_a_session_that_is_over_is_forgotten_and_so_are_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World().said(BEGUN, OPENED, Hold("h", STREAM, Direction.OUT, 0, 1, 1, b"x"), SessionEnded(SESSION, 9))
    assert world.now()[1] == "nothing"
    assert not (world.modes._seen or world.modes._streams or world.modes._holds)
    monkeypatch.setattr(module, "KEPT", 10)
    for number in range(module.KEPT + 1):
        world.modes._of(str(number), "agent")
    assert len(world.modes._seen) == module.KEPT


def test_a_broken_glass_is_why_nothing_is_enforced_and_it_is_over_when_the_agent_says_so() -> None:
    broken = BreakGlass("g1", "n1", 5, 900, "unix:root", "deploys hang")
    world = World().said(BEGUN, OPENED, *hold(1), broken)
    assert world.now() == ("enforce", "record", ["the glass was broken on node n1 by unix:root: deploys hang"])
    assert world.modes.is_broken(SESSION) and world.modes.is_broken("", STREAM) and not world.modes.is_broken("", "another")
    world.modes.take(replace(broken, ended=9), "another agent")
    assert world.modes.is_broken(SESSION)
    world.said(replace(broken, ended=9))
    assert world.now() == ("enforce", "enforce", []) and not world.modes.is_broken(SESSION)
