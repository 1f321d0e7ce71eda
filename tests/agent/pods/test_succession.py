"""A session that is cut after 24 hours or behind a pause: what begins is the next one's, what is open stays whole.

Time is what the values say, so that days pass at once. The kernel is made of lists.
"""

import os
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from support.outboxes import waiting
from support.tracer_double import TracerDouble

from chaperone.agent.deliver.leftovers import Leftovers
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.spool import Spool
from chaperone.agent.pods.areas import Atlas
from chaperone.agent.pods.census import Census
from chaperone.agent.pods.facts import PodFacts
from chaperone.agent.pods.governing import Governing
from chaperone.agent.pods.paths import Place
from chaperone.agent.pods.select import Selection
from chaperone.agent.pods.sessions import session_of, unnamed
from chaperone.agent.pods.workloads import LONG, LONGEST_NS, PAUSE_NS, PAUSED, SECOND, Workload, Workloads
from chaperone.agent.recording import Ended, Recording
from chaperone.agent.settings import PodSettings, SessionOptions, Settings
from chaperone.agent.sockets.connections import SETTLE_NS
from chaperone.agent.sockets.values import SocketClosing, SocketOpened, SocketTied
from chaperone.agent.trace.values import ProcessExec, ProcessExit, ProcessFork, Tls, TlsBytes, TlsClosed, Value
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline.records import Pipeline
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import (
    Bound,
    Chunk,
    Connection,
    Direction,
    Note,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    unpack,
)
from chaperone.proto.sealed import public_of

PID, NUMBER = 2**22 + 5, 1
SETTINGS = Settings((), (), "", SessionOptions(), pods=PodSettings(("h", 1)))
HOUR = 3600 * SECOND


class Container:
    """One governed container, whose session has begun at 10; `say` lets its kernel say something."""

    def __init__(self, spool: Spool | None = None) -> None:
        self.tracer, self.outbox = TracerDouble([]), Outbox(Limits(), spool)
        self.recording = Recording(self.tracer, self.outbox, SETTINGS)
        self.governing = Governing(self.recording, lambda now: ("10.0.0.1:443",))
        self.workloads = Workloads(self.governing, Census(), Selection(), Atlas(Path("/none")))
        place, folder = Place("u", "", 3, "c" * 64), Path("/c")
        pod = PodFacts(("u",), "demo", "agent", labels={"a": "b"})
        session = session_of(unnamed(place, folder, 10), pod, "c" * 64, ("10.0.0.1:443",))
        self.workload = Workload(place, session, {NUMBER: (7, folder)}, {NUMBER}, has_begun=True)
        self.workloads.table[self.workload.key] = self.workloads._numbers[NUMBER] = self.workload
        self.recording.pods = self
        self.governing.admit(NUMBER, self.workload.session)
        self.governing.record_all(self.workload.session)
        self.governing.begin(self.workload.session)

    def heard(self, number: int, time: int, begins: bool) -> None:
        self.workloads.heard(number, time, begins)

    def take(self, value: object) -> None: ...

    def knows(self, number: int, time: int) -> bool:
        return number == NUMBER

    def step(self, now: int) -> None: ...

    def close(self) -> None: ...

    def say(self, *values: Value) -> None:
        self.recording._take(values)

    def look(self, now: int) -> None:
        """As after ten seconds."""
        self.recording.put(self.recording.connections.look(now))
        self.governing.conclude(self.workload.session.cgroup, now)

    def sent(self) -> list[Record]:
        self.outbox.flush()
        return waiting(self.outbox)

    def end(self) -> list[Record]:
        self.governing.end([NUMBER], self.workload.session, has_begun=True)
        return self.sent()


def tls(number: int) -> Tls:
    return Tls(PID, 10, number, 30 + number, "go", NUMBER)


def program(time: int, pid: int = PID) -> ProcessExec:
    return ProcessExec(pid, 10, time, 1, "/bin/kubectl", ("kubectl",), False, 0, 1, NUMBER)


def opened(number: int, time: int) -> SocketOpened:
    return SocketOpened(PID, 10, time, NUMBER, 100 + number, f"a:{number}", "10.0.0.1:443", "tcp")


def spoken(number: int, position: int, data: bytes, time: int, direction: Direction = Direction.OUT) -> TlsBytes:
    return TlsBytes(tls(number), direction, position, data, time)


def begin(number: int, time: int) -> list[Value]:
    """A connection, its first bytes, and the tie between them."""
    return [opened(number, time), SocketTied(PID, 10, tls(number).handle, time, 100 + number), spoken(number, 0, b"GET", time)]


def over(number: int, size: int, time: int) -> list[Value]:
    return [TlsClosed(tls(number), size, 0, time), SocketClosing(100 + number, time)]


def starts(records: list[Record]) -> list[SessionStarted]:
    return [record for record in records if isinstance(record, SessionStarted)]


def ends(records: list[Record]) -> list[SessionEnded]:
    return [record for record in records if isinstance(record, SessionEnded)]


@pytest.fixture
def pod() -> Container:
    made = Container()
    made.say(program(11), *begin(1, 20))
    return made


def test_what_begins_behind_a_pause_is_in_a_session_of_its_own(pod: Container) -> None:
    pod.say(*over(1, 3, 30))
    pod.look(30 + 2 * SETTLE_NS)
    pod.say(*begin(2, 20 + PAUSE_NS))
    first, second = starts(pod.sent())
    assert second.continues == first.session and second.time == 20 + PAUSE_NS
    (ended,) = ends(pod.sent())
    assert (ended.session, ended.time, ended.cut, ended.goes_on) == (first.session, 20, PAUSED, second.session), "at its last act"


def test_a_shorter_pause_cuts_nothing(pod: Container) -> None:
    pod.say(*begin(2, 19 + PAUSE_NS))
    assert len(starts(pod.sent())) == 1


def test_bytes_of_a_stream_are_no_pause(pod: Container) -> None:
    for minutes in range(10, 120, 10):
        pod.say(spoken(1, minutes, b"x", minutes * 60 * SECOND))
    pod.say(program(120 * 60 * SECOND))
    assert len(starts(pod.sent())) == 1


def test_after_24_hours_another_begins_without_a_pause(pod: Container) -> None:
    for time in range(SECOND, LONGEST_NS + HOUR, 10 * 60 * SECOND):
        pod.say(program(time))
    first, second = starts(pod.sent())
    assert 10 + LONGEST_NS <= second.time < 10 + LONGEST_NS + 10 * 60 * SECOND
    said = [record for record in pod.sent() if isinstance(record, Note) and record.session == first.session]
    assert [LONG in note.text and second.session in note.text and note.complete for note in said] == [True]


def test_a_watch_stays_whole_where_it_began(pod: Container) -> None:
    pod.say(*begin(2, 30 + PAUSE_NS), spoken(1, 3, b" /watch", 40 + PAUSE_NS))
    first, second = starts(pod.sent())
    homes = {record.stream: record.session for record in pod.sent() if isinstance(record, StreamOpened)}
    assert list(homes.values()) == [first.session, second.session] and not ends(pod.sent()), "open as long as its stream is"
    pod.look(50 + PAUSE_NS)
    assert not ends(pod.sent())
    pod.say(*over(1, 10, 60 + PAUSE_NS))
    pod.look(60 + PAUSE_NS + 2 * SETTLE_NS)
    assert [record.session for record in ends(pod.sent())] == [first.session]
    assert pod.recording.cut == {} and first.session not in pod.recording.apiservers, "nothing stays behind"


def test_what_could_not_be_done_before_is_said_in_the_session_that_was_cut(pod: Container) -> None:
    gate = pod.tracer.gate
    gate.unlooked = {NUMBER: 2}
    pod.say(*over(1, 3, 30), *begin(2, 30 + PAUSE_NS))
    gate.unlooked = {0: 1, NUMBER: 3}
    pod.look(40 + PAUSE_NS)
    first, second = starts(pod.end())
    said = [(note.session, note.text) for note in pod.sent() if isinstance(note, Note) and not note.complete]
    of_nobody = "1 connects were not met; whose is not known"
    assert said == [
        (first.session, "2 connects were not met"),
        (first.session, of_nobody),
        (second.session, "1 connects were not met"),
        (second.session, of_nobody),
    ]


def test_its_streams_connection_ends_in_its_own_session(pod: Container) -> None:
    pod.say(program(30 + PAUSE_NS), *over(1, 3, 60 + PAUSE_NS))
    pod.look(60 + PAUSE_NS + 2 * SETTLE_NS)
    first, _ = starts(pod.sent())
    found = [record for record in pod.sent() if isinstance(record, Connection | Bound)]
    assert {record.session for record in found} == {first.session}


def test_an_end_behind_a_pause_begins_nothing(pod: Container) -> None:
    pod.say(ProcessExit(PID, 10, 40 + PAUSE_NS, NUMBER, 0), *over(1, 3, 41 + PAUSE_NS))
    assert len(starts(pod.sent())) == 1


def test_living_processes_are_told_in_the_next_session(pod: Container) -> None:
    child = ProcessFork(PID + 1, 11, 30 + PAUSE_NS, NUMBER, 0, PID, 10)
    pod.say(child)
    first, second = starts(pod.sent())
    told = [(record.pid, record.session) for record in pod.sent() if isinstance(record, ProcessSeen)]
    assert told == [(PID, first.session), (PID, second.session), (PID + 1, second.session)]


def test_the_container_ends_and_every_session_of_it(pod: Container) -> None:
    pod.say(*begin(2, 30 + PAUSE_NS))
    first, second = starts(pod.sent())
    records = pod.end()
    assert {record.session for record in ends(records)} == {first.session, second.session}
    assert not pod.recording.cut and not pod.recording.sessions


def test_the_agent_ends_and_every_session_of_it(pod: Container) -> None:
    pod.say(*begin(2, 30 + PAUSE_NS))
    pod.recording.end(Ended())
    first, second = starts(pod.sent())
    found = {record.session: (record.cut, record.goes_on) for record in ends(pod.sent())}
    assert found == {first.session: (PAUSED, second.session), second.session: ("", "")}, "also the one that was cut and had something open"


def test_the_agent_dies_and_the_next_one_says_that_the_session_was_cut(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", 1 << 20)
    spool.seal_to(public_of(X25519PrivateKey.generate()))
    pod = Container(spool)
    pod.say(program(11), *begin(1, 20), *begin(2, 30 + PAUSE_NS))
    first, second = starts(pod.sent())
    os.close(spool._lock)
    leftovers = Leftovers(tmp_path, 1 << 20)
    leftovers.find()
    *_, message = leftovers.messages()
    records = list(unpack(zstandard.ZstdDecompressor().decompress(message.leftover.last.records)))
    assert {record.session: (record.cut, record.goes_on) for record in ends(records)} == {
        first.session: (PAUSED, second.session),
        second.session: ("", ""),
    }


def test_a_session_that_was_cut_can_still_be_ended(pod: Container) -> None:
    """An order to end it finds its cgroup."""
    pod.say(*begin(2, 30 + PAUSE_NS))
    first, _ = starts(pod.sent())
    assert [session.cgroup for session in pod.recording.endings.sessions() if session.id == first.session] == [Path("/c")]


ACTS = st.lists(st.tuples(st.sampled_from(["open", "speak", "close", "exec"]), st.integers(0, 4), st.sampled_from([1, 600, 901, 40_000])))


def played(acts: list[tuple[str, int, int]]) -> tuple[list[Record], dict[int, bytes]]:
    """What a container does, with these pauses between; what each stream said."""
    pod, now, going, sizes, texts = Container(), 20, {}, {}, {}
    pod.say(program(11))
    for count, (act, number, seconds) in enumerate(acts):
        now += seconds * SECOND
        if act == "exec":
            pod.say(program(now))
        elif act == "open" and number not in going:
            going[number] = count + 10
            sizes[number], texts[count + 10] = 3, b"GET"
            pod.say(*begin(count + 10, now))
        elif act == "speak" and number in going:
            text = f"/{count}".encode()
            pod.say(spoken(going[number], sizes[number], text, now))
            sizes[number], texts[going[number]] = sizes[number] + len(text), texts[going[number]] + text
        elif act == "close" and number in going:
            pod.say(*over(going.pop(number), sizes[number], now))
        pod.look(now)
    for number, stream in going.items():
        pod.say(*over(stream, sizes[number], now))
    return pod.end(), texts


@given(ACTS)
@settings(max_examples=60, deadline=None)
def test_every_byte_is_in_one_session_whatever_comes_between(acts: list[tuple[str, int, int]]) -> None:
    records, texts = played(acts)
    homes = {record.stream: record.session for record in records if isinstance(record, StreamOpened)}
    said: dict[str, bytes] = dict.fromkeys(homes, b"")
    open_, begun, over_ = set(), [], set()
    for record in records:
        if isinstance(record, SessionStarted):
            begun.append(record)
        elif isinstance(record, SessionEnded):
            assert record.session not in over_ and not {stream for stream in open_ if homes[stream] == record.session}
            over_.add(record.session)
        elif isinstance(record, StreamOpened):
            assert record.session == begun[-1].session, "what begins is the newest's"
            open_.add(record.stream)
        elif isinstance(record, Chunk):
            assert homes[record.stream] not in over_
            said[record.stream] += record.data
        elif isinstance(record, StreamClosed):
            open_.discard(record.stream)
    assert sorted(said.values()) == sorted(texts.values()) and over_ == {record.session for record in begun}
    assert [later.continues for later in begun] == ["", *(earlier.session for earlier in begun[:-1])]
    _beginnings_are_near(records, begun)


def _beginnings_are_near(records: list[Record], begun: list[SessionStarted]) -> None:
    """No session has a beginning behind its 24th hour."""
    since = {record.session: record.time for record in begun}
    for record in records:
        if isinstance(record, Connection) and not record.ended:
            assert record.time - since[record.session] < LONGEST_NS


@given(ACTS)
@settings(max_examples=20, deadline=None)
def test_a_collector_keeps_each_stream_and_process_in_its_session(acts: list[tuple[str, int, int]]) -> None:
    records, _ = played(acts)
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for record in [*records, ProcessEnded(next(one.process for one in records if isinstance(one, ProcessSeen)), 9)]:
        pipeline.take(record, 0)
    streams = [(row.id, row.session) for row in rows if row.kind is Kind.STREAM]
    assert len({*streams}) == len({id_ for id_, _ in streams}), "one session a stream"
    notes = [row.document["text"] for row in rows if row.kind is Kind.NOTE and not row.document["complete"]]
    assert not [text for text in notes if "could not be used" in text or "belong to no open stream" in text]
    assert not pipeline._sessions and not pipeline._streams and not pipeline._homes
