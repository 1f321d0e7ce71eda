from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.strict import strict as module
from chaperone.agent.strict.freezer import Freezer
from chaperone.agent.strict.strict import Strict
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Cause, Chunk, Direction, Loss, SessionStarted, StreamOpened

SESSION, STREAM, GROUP = SessionId("s"), StreamId("t"), Path("/no/such/group")
MEMORY = 100_000


class FreezerDouble(Freezer):
    """Says what it was told. `refuses`: it can't freeze."""

    def __init__(self, refuses: bool = False) -> None:
        self.did: list[str] = []
        self.refuses = refuses

    def freeze(self, cgroup: Path) -> None:
        if self.refuses:
            raise PermissionError(1, "Operation not permitted")
        self.did.append("freeze")

    def thaw(self, cgroup: Path) -> None:
        self.did.append("thaw")

    def close(self) -> None:
        self.did.append("close")


@dataclass
class Scene:
    """One session that is recorded strictly, and what was done to it."""

    limit_s: float = 1000.0
    freezer: FreezerDouble = field(default_factory=FreezerDouble)
    notes: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox(Limits(memory=MEMORY, batch=1 << 20))
        self.outbox.put(SessionStarted(SESSION, "w", 1))
        self.outbox.put(StreamOpened(STREAM, ProcessId("p"), SESSION, 1, "openssl"))
        self.strict = Strict(
            {SESSION: GROUP}, self.outbox, self.limit_s, lambda _, text, complete: self.notes.append((text, complete)), self.freezer
        )

    def say(self, size: int) -> None:
        self.outbox.put(Chunk(STREAM, Direction.OUT, 0, bytes(size), 1))
        self.strict.look()


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The cgroups that were ended."""
    found: list[Path] = []
    monkeypatch.setattr(module, "end", found.append)
    return found


def test_it_is_held_when_half_of_memory_waits_and_let_go_when_there_is_room(ended: list[Path]) -> None:
    scene = Scene()
    scene.say(30_000)
    assert scene.freezer.did == []
    scene.say(30_000)
    assert scene.strict.must_wait(SESSION) and scene.freezer.did == ["freeze"]
    scene.outbox.flush()
    scene.outbox.acknowledge(1)
    assert not scene.strict.must_wait(SESSION) and scene.freezer.did == ["freeze", "thaw"]
    (held, _), (gone_on, complete) = scene.notes
    assert held.startswith("its processes are held: 6") and gone_on.startswith("its processes go on after") and complete
    assert ended == []


def test_a_loss_ends_it_with_the_cause_whatever_comes_then(ended: list[Path]) -> None:
    scene = Scene()
    for size in (5, 6):
        scene.outbox.put(Loss(STREAM, Direction.OUT, 0, size, 1, Cause.EARLY))
        scene.strict.look()
    assert ended == [GROUP]
    assert scene.notes == [("its processes were ended: 5 bytes could not be recorded (0-RTT data, which is not recorded)", False)]


def test_held_for_too_long_it_is_ended(ended: list[Path]) -> None:
    scene = Scene(limit_s=-1.0)
    scene.say(60_000)
    scene.strict.look()
    assert ended == [GROUP] and scene.freezer.did == ["freeze", "thaw"]
    assert "there is still no room" in scene.notes[-1][0] and not scene.notes[-1][1]


def test_who_cannot_be_held_is_ended(ended: list[Path]) -> None:
    scene = Scene(freezer=FreezerDouble(refuses=True))
    scene.say(60_000)
    assert ended == [GROUP]
    assert scene.notes == [("its processes were ended: they can't be held (Operation not permitted)", False)]


def test_one_that_would_not_end_is_said_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(cgroup: Path) -> None:
        raise TimeoutError(0, "2 processes do not end")

    monkeypatch.setattr(module, "end", refused)
    scene = Scene()
    scene.strict.end_all("nobody records it")
    assert scene.notes == [("its processes should end and did not (2 processes do not end): nobody records it", False)]


def test_when_the_recording_is_over_nobody_is_held_or_ended(ended: list[Path]) -> None:
    scene = Scene()
    scene.say(60_000)
    scene.strict.close()
    scene.outbox.put(Loss(STREAM, Direction.OUT, 0, 1, 1))
    scene.strict.look()
    assert (ended, scene.freezer.did) == ([], ["freeze", "close"])


def test_other_sessions_are_left_alone(ended: list[Path]) -> None:
    outbox = Outbox(Limits(memory=MEMORY))
    strict = Strict({}, outbox, 1.0, lambda *_: None, FreezerDouble())
    outbox.put(Loss(STREAM, Direction.OUT, 0, 1, 1))
    strict.look()
    assert ended == [] and outbox.losses == {}


def test_a_session_that_is_over_is_let_go_and_known_no_more(ended: list[Path]) -> None:
    scene = Scene()
    scene.say(60_000)
    scene.strict.add(SESSION, GROUP)
    assert scene.freezer.did == ["freeze"], "it is known, and stays held"
    scene.strict.forget(SESSION)
    scene.strict.forget(SESSION)
    assert scene.freezer.did == ["freeze", "thaw"] and not scene.strict.groups and SESSION not in scene.outbox.strict
    scene.strict.look()
    scene.strict.add(SESSION, GROUP)
    assert scene.strict.must_wait(SESSION), "one that is added is held as the others are"
    assert ended == []


def test_while_it_is_suspended_nobody_is_held_or_ended_and_what_was_lost_then_is_forgiven(ended: list[Path]) -> None:
    scene = Scene()
    scene.say(60_000)
    scene.strict.suspend(True)
    assert scene.freezer.did == ["freeze", "thaw"] and not scene.strict.must_wait(SESSION)
    scene.say(60_000)  # more than there is room for: given up as of any other
    scene.outbox.missed[SESSION] += 3
    scene.strict.look()
    assert scene.outbox.lost == 60_000 and (ended, scene.freezer.did) == ([], ["freeze", "thaw"])
    scene.strict.suspend(False)
    scene.outbox.flush()
    scene.outbox.acknowledge(1)
    scene.strict.look()
    assert (ended, scene.freezer.did) == ([], ["freeze", "thaw"])
    scene.outbox.missed[SESSION] += 1
    scene.strict.look()
    assert ended == [GROUP] and "1 records of it found no room" in scene.notes[-1][0]


def test_one_that_is_added_meanwhile_is_held_afterwards() -> None:
    scene = Scene()
    scene.strict.forget(SESSION)
    scene.strict.suspend(True)
    scene.strict.add(SESSION, GROUP)
    assert SESSION not in scene.outbox.strict
    scene.strict.suspend(False)
    scene.say(60_000)
    assert scene.freezer.did[-1] == "freeze"
