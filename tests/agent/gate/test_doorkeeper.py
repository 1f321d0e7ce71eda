"""What the process at the door does with arrivals and with the agent's words; its ring and its waiting threads are made of lists."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from chaperone.agent.gate import doorkeeper
from chaperone.agent.gate.doorkeeper import GOODBYE, TID, Doorkeeper, resume_stragglers
from chaperone.agent.gate.layout import GateKind, GateRecord, ReadRecord
from chaperone.agent.gate.maps import RingReader
from chaperone.agent.gate.waiting import Waiting
from chaperone.agent.trace.layout import Head, TlsRecord


class FakeRing(RingReader):
    """Readable by its descriptor when it has records."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.bell, self.ringer = socket.socketpair()
        self.descriptor = self.bell.fileno()

    def add(self, record: GateRecord | ReadRecord) -> None:
        self.records.append(bytes(record))
        self.ringer.send(b"\0")

    def take(self) -> Iterator[bytes]:
        while self.records:
            self.bell.recv(1)
            yield self.records.pop(0)


@dataclass
class FakeWaiting(Waiting):
    taken: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    resumed: int = 0

    def take(self, tid: int, workload: int = 0, is_connecting: bool = True) -> None:
        self.taken.append(tid if is_connecting else -tid)

    def release(self, tid: int) -> None:
        self.released.append(tid)

    def settle(self) -> None:
        return

    def is_unsettled(self) -> bool:
        return False

    def resume_halted(self) -> None:
        self.resumed += 1


@dataclass
class Scene:
    ring: FakeRing
    waiting: FakeWaiting
    agent: socket.socket
    keeper: Doorkeeper


@pytest.fixture
def scene() -> Iterator[Scene]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ring, waiting = FakeRing(), FakeWaiting()
    with ours, theirs, ring.bell, ring.ringer:
        yield Scene(ring, waiting, ours, Doorkeeper(theirs, ring, waiting))


def arrival(kind: GateKind, tid: int = 0) -> GateRecord:
    return GateRecord(Head(kind=kind, pid=tid), 9, tid)


def test_who_connects_is_seized_and_the_agent_hears_of_all(scene: Scene) -> None:
    scene.ring.add(arrival(GateKind.EXEC))
    scene.ring.add(arrival(GateKind.CONNECT, 7))
    assert scene.keeper._step()
    assert scene.waiting.taken == [7]
    assert [GateRecord.from_buffer_copy(scene.agent.recv(4096)).thread for _ in range(2)] == [0, 7]


def test_who_is_to_be_read_is_seized_outside_of_a_connect(scene: Scene) -> None:
    scene.ring.add(ReadRecord(tls=TlsRecord(head=Head(kind=GateKind.READ)), address=4096, thread=7))
    assert scene.keeper._step()
    assert scene.waiting.taken == [-7]
    assert ReadRecord.from_buffer_copy(scene.agent.recv(4096)).address == 4096


def test_whom_the_agent_names_may_go(scene: Scene) -> None:
    scene.agent.send(TID.pack(7))
    assert scene.keeper._step()
    assert scene.waiting.released == [7]


def test_whose_thread_went_on_before_it_stopped_the_agent_hears_at_once_or_at_the_end(scene: Scene) -> None:
    scene.waiting.late = [3]
    assert scene.keeper._step()
    assert scene.agent.recv(4096) == TID.pack(3)
    scene.ring.add(arrival(GateKind.EXEC))
    scene.keeper.backlog += [bytes(arrival(GateKind.EXEC)), TID.pack(4)]
    scene.waiting.late = [5]
    scene.keeper.say_last()
    assert [scene.agent.recv(4096) for _ in range(2)] == [TID.pack(4), TID.pack(5)], "nobody looks into programs any more"


def test_goodbye_and_death_are_told_apart(scene: Scene) -> None:
    scene.agent.send(TID.pack(GOODBYE))
    scene.keeper.run()
    assert scene.keeper.is_dismissed
    scene.keeper.is_dismissed = False
    scene.agent.close()
    scene.keeper.run()
    assert not scene.keeper.is_dismissed


def test_what_came_before_it_was_there_is_forgotten(scene: Scene) -> None:
    scene.ring.add(arrival(GateKind.CONNECT, 7))
    scene.keeper.forget()
    scene.ring.add(arrival(GateKind.CONNECT, 8))
    scene.keeper._step()
    assert scene.waiting.taken == [8]


def test_a_busy_agent_does_not_keep_it_from_seizing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeper, "BACKLOG", 600)
    monkeypatch.setattr(doorkeeper, "TICK_S", 0)
    for number in range(2000):
        scene.ring.add(arrival(GateKind.CONNECT if number % 2 else GateKind.EXEC, number))
        if number % 50 == 49:
            scene.keeper._step()
    assert scene.waiting.taken == list(range(1, 2000, 2))
    heard = []
    while len(heard) < 1000:
        record = GateRecord.from_buffer_copy(scene.agent.recv(4096))
        heard += [record.thread] if record.head.kind == GateKind.CONNECT else []
        scene.keeper._step()
    assert heard == list(range(1, 2000, 2))


def test_a_quiet_moment_is_used_to_resume_whom_nobody_could_seize(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeper, "TICK_S", 0.001)
    scene.keeper._step()
    assert scene.waiting.resumed == 1
    resume_stragglers(scene.waiting, 0.05)
    assert scene.waiting.resumed > 1
