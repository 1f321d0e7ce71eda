"""What becomes of a container in the recording, with a kernel made of lists. On the real one: test_node.py."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.outboxes import waiting
from support.tracer_double import TracerDouble

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.hold.terms import Terms
from chaperone.agent.pods.governing import Governing
from chaperone.agent.pods.paths import Place
from chaperone.agent.pods.sessions import unnamed
from chaperone.agent.recording import Ended, Recording
from chaperone.agent.settings import PodSettings, SessionOptions, Settings
from chaperone.agent.sockets.values import SocketOpened
from chaperone.agent.trace.values import Lost, ProcessExec, ProcessExit, Tls, TlsBytes, TlsLost, Value
from chaperone.proto.ids import SessionId
from chaperone.proto.records import (
    Cause,
    Chunk,
    Connection,
    Direction,
    Loss,
    Note,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamOpened,
)

PID = 2**22 + 5
TLS = Tls(PID, 10, 1, 30, "go", 1)
SESSION = unnamed(Place("u", "", 3, "c" * 64), Path("/c"), 5)
EXEC = ProcessExec(PID, 10, 12, 1, "/bin/kubectl", ("kubectl",), False, 0, 1, 1)
TALK: list[Value] = [EXEC, SocketOpened(PID, 10, 20, 1, 99, "a:1", "b:2", "tcp"), TlsBytes(TLS, Direction.OUT, 0, b"GET", 31)]
SETTINGS = Settings((), (), "", SessionOptions(), pods=PodSettings(("h", 1)))


class Node:
    def __init__(
        self, *polls: list[Value], counts: Lost | None = None, final: tuple[Value, ...] = (), settings: Settings = SETTINGS
    ) -> None:
        self.tracer, self.outbox = TracerDouble(polls, final, counts), Outbox(Limits())
        self.recording = Recording(self.tracer, self.outbox, settings)
        self.governing = Governing(self.recording, lambda now: ("10.0.0.1:443",))

    def sent(self) -> list[Record]:
        self.outbox.flush()
        return waiting(self.outbox)


@pytest.fixture
def node() -> Node:
    made = Node(list(TALK))
    made.governing.admit(1, SESSION)
    made.recording.step()
    return made


def test_an_area_has_the_hooks(node: Node) -> None:
    node.governing.meet([Path("/kubepods")])
    assert node.tracer.areas == [Path("/kubepods")] and node.tracer.gate.watched == [(-1, Path("/kubepods"))]


def test_who_is_admitted_is_looked_into_and_waits(node: Node) -> None:
    node.governing.admit(1, SESSION)
    assert node.tracer.gate.welcomed == [Path("/c")], "once"
    assert node.sent() == [] and node.governing.has_spoken(SESSION)
    node.governing.record_all(SESSION)
    node.governing.begin(SESSION)
    assert [type(record) for record in node.sent()] == [SessionStarted, ProcessSeen, Connection, StreamOpened, Chunk]


def test_until_it_is_known_where_its_bytes_go_they_do_not_leave(node: Node) -> None:
    node.governing.begin(SESSION)
    assert [type(record) for record in node.sent()] == [SessionStarted, ProcessSeen, Connection, StreamOpened]


def test_who_is_ignored_leaves_nothing(node: Node) -> None:
    node.governing.ignore({1: (7, Path("/c"))}, SESSION)
    recording = node.recording
    assert node.tracer.ignored == [(1, 7, Path("/c"))]
    assert not (recording.sessions or recording.ids or recording.apiservers or recording.lineage.living or recording.streams._open)
    assert not (recording.connections._open or recording.connections.ties._streams or recording.connections.ties.speaking)
    node.tracer.polls.append([TlsBytes(TLS, Direction.OUT, 3, b"POST", 32)])
    recording.step()
    assert node.sent() == []


def test_one_that_ends_says_its_last() -> None:
    final = (TlsLost(TLS, Direction.OUT, 3, 9, 50, Cause.RING_FULL),)
    node = Node(list(TALK), [ProcessExit(PID, 10, 40, 1, 3)], counts=Lost(events=2), final=final)
    node.governing.admit(1, SESSION)
    node.governing.begin(SESSION)
    node.recording.step()
    node.recording.step()
    node.governing.end([1], SESSION, has_begun=True)
    records = node.sent()
    assert [record.size for record in records if isinstance(record, Loss)] == [9]
    assert [record.text for record in records if isinstance(record, Note)][-1:] == [
        "2 events of processes and connections did not fit into the kernel's ring"
    ]
    connections = [record for record in records if isinstance(record, Connection)]
    assert len(connections) == 2 and connections[-1].ended
    ended = records[-1]
    assert isinstance(ended, SessionEnded) and ended.status == 3, "its first program's"
    assert any(isinstance(record, ProcessEnded) for record in records)
    assert node.tracer.released == [1] and not node.recording.sessions


def test_what_could_not_be_done_of_one_that_ends_is_said_in_its_session_and_in_no_other(node: Node) -> None:
    node.governing.begin(SESSION)
    other = replace(SESSION, id=SessionId("other"), started=replace(SESSION.started, session=SessionId("other")))
    node.governing.admit(2, other)
    node.governing.begin(other)
    node.tracer.gate.unlooked = {0: 1, 1: 2}
    node.governing.end([1], SESSION, has_begun=True)
    late = replace(SESSION, id=SessionId("late"), started=replace(SESSION.started, session=SessionId("late")))
    node.governing.admit(3, late)
    node.governing.begin(late)
    node.recording.end(Ended())
    said = [(note.session, note.text) for note in node.sent() if isinstance(note, Note) and not note.complete]
    of_nobody = "1 connects were not met; whose is not known"
    assert said == [(SESSION.id, "2 connects were not met"), (SESSION.id, of_nobody), (other.id, of_nobody)]
    assert node.tracer.gate.left == [1]


def test_one_that_was_nobodys_ends_unsaid(node: Node) -> None:
    node.governing.end([1], SESSION, has_begun=False)
    assert node.sent() == [] and node.tracer.released == [1] and not node.recording.undecided._kept


def test_a_cgroup_that_is_gone_gets_no_number(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(folder: Path, is_known: bool = False) -> int:
        raise FileNotFoundError

    assert node.governing.settle(Path("/c"), False) == 50
    monkeypatch.setattr(node.tracer, "settle", settle)
    assert node.governing.settle(Path("/c"), False) == 0


class EnforcementDouble:
    """`said`: what was asked of it."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.holds: dict[int, EnforcementDouble] = {}

    def begin(self, number: int, folder: Path, terms: Terms) -> None:
        self.said.append(("begin", number, folder, terms))
        self.holds[number] = self

    def enforces(self, number: int) -> bool:
        return number in self.holds

    def seize(self, number: int, folder: Path) -> None:
        self.said.append(("seize", number, folder))

    def tracers(self) -> set[int]:
        return {77}

    def end(self, number: int) -> None:
        self.said.append(("end", number))


def test_an_enforced_ones_processes_are_traced_until_its_end(node: Node, tmp_path: Path) -> None:
    double = EnforcementDouble()
    node.recording.enforcement = double  # type: ignore[assignment]
    cgroups = {1: (7, tmp_path), 2: (8, tmp_path / "gone")}
    for _ in range(2):
        node.governing.enforce(cgroups, Terms(denies=True))
    node.governing.end([1], SESSION, has_begun=False)
    assert double.said == [("begin", 1, tmp_path, Terms(denies=True)), ("seize", 1, tmp_path), ("end", 1)]
    assert node.tracer.gate.tracers() == {77}


def test_containers_are_recorded_strictly_where_all_are() -> None:
    node = Node(list(TALK), settings=replace(SETTINGS, session=SessionOptions(record="strict")))
    node.governing.admit(1, SESSION)
    assert node.tracer.kept == [1] and node.recording.strict.groups == {SESSION.id: Path("/c")}
    node.governing.end([1], SESSION, has_begun=False)
    assert node.recording.strict.groups == {}
    lax = Node(list(TALK))
    lax.governing.admit(1, SESSION)
    assert lax.tracer.kept == [] and lax.recording.strict.groups == {}
