"""Of which streams bytes leave the node, and what is said of the others."""

from dataclasses import dataclass, field

import pytest

from chaperone.agent.deliver import private as module
from chaperone.agent.deliver.private import WAIT_NS, Private
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Bound, Chunk, Direction, Hold, Loss, Note, Record, SessionEnded, StreamClosed, StreamOpened, Withheld

OUT, IN = Direction.OUT, Direction.IN
SESSION, WHOLE, STREAM = SessionId("s"), SessionId("whole"), StreamId("one")
ELSEWHERE, APISERVER = Bound(STREAM, 3, elsewhere=True), Bound(STREAM, 3)


@dataclass
class Scene:
    """A list for an outbox, and a clock that stands."""

    said: list[Record] = field(default_factory=list)
    flushed: int = 0
    now: int = 0

    def __post_init__(self) -> None:
        self.private = Private(self, {WHOLE}.__contains__, lambda: self.now)

    def put(self, record: Record) -> None:
        self.said.append(record)

    def flush(self) -> None:
        self.flushed += 1

    def after(self, *records: Record) -> list[Record]:
        """What has come of these."""
        for record in records:
            self.private.put(record)
        said, self.said[:] = list(self.said), []
        return said


def opened(session: SessionId = SESSION, stream: StreamId = STREAM) -> StreamOpened:
    return StreamOpened(stream, ProcessId("p"), session, 1, "go")


def chunk(direction: Direction, position: int, data: bytes, stream: StreamId = STREAM) -> Chunk:
    return Chunk(stream, direction, position, data, 5)


def test_of_a_stream_that_leads_elsewhere_only_its_size_is_told() -> None:
    talk = [chunk(OUT, 0, b"ab"), chunk(IN, 0, b"cdefg"), chunk(OUT, 2, b"h"), StreamClosed(STREAM, 9, 3, 5)]
    withheld = [Withheld(STREAM, OUT, 0, 3, 9), Withheld(STREAM, IN, 0, 5, 9)]
    assert Scene().after(opened(), ELSEWHERE, *talk) == [opened(), ELSEWHERE, *withheld, talk[-1]]


def test_what_an_apiserver_hears_goes_on_at_once() -> None:
    talk = [opened(), APISERVER, chunk(OUT, 0, b"ab"), Loss(STREAM, OUT, 2, 4, 6), StreamClosed(STREAM, 9, 6, 0)]
    assert Scene().after(*talk) == talk


def test_what_comes_before_it_is_known_where_to_waits_in_order() -> None:
    first, second, closed = chunk(OUT, 0, b"ab"), chunk(IN, 0, b"cd"), StreamClosed(STREAM, 9, 2, 2)
    note = Note(SESSION, 4, "x", "y")
    for bound, said in (
        (APISERVER, [first, second, closed]),
        (ELSEWHERE, [Withheld(STREAM, OUT, 0, 2, 9), Withheld(STREAM, IN, 0, 2, 9), closed]),
    ):
        scene = Scene()
        assert scene.after(opened(), first, second, closed, note) == [opened(), note]
        assert scene.after(bound) == [bound, *said]
        assert (scene.private._streams, scene.private._waiting, scene.private._size) == ({}, {}, 0)


def test_one_of_which_it_never_becomes_known_goes_on_after_a_moment() -> None:
    scene, first = Scene(), chunk(OUT, 0, b"ab")
    scene.after(opened(), first)
    scene.now = WAIT_NS - 1
    scene.private.look()
    assert scene.after() == []
    scene.now = WAIT_NS
    scene.private.look()
    assert scene.after(chunk(OUT, 2, b"c")) == [first, chunk(OUT, 2, b"c")]


def test_who_makes_too_much_wait_goes_on_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 10)
    other = StreamId("other")
    scene, first = Scene(), chunk(OUT, 0, b"x" * 8)
    assert scene.after(opened(), opened(stream=other), first, chunk(OUT, 0, b"yyy", other))[2:] == [first]
    assert scene.private._size == 3


def test_what_is_held_is_shown_to_who_decides() -> None:
    hold = Hold("h", STREAM, OUT, 0, 2, 5, b"ab")
    talk = [opened(), hold, ELSEWHERE, chunk(OUT, 0, b"ab")]
    assert Scene().after(*talk) == talk


def test_a_session_in_which_all_is_read_has_all() -> None:
    talk = [opened(WHOLE), ELSEWHERE, chunk(OUT, 0, b"ab"), StreamClosed(STREAM, 9, 2, 0)]
    assert Scene().after(*talk) == talk


def test_what_was_lost_of_a_stream_that_stays_is_nobodys_loss() -> None:
    """As is what lies before the first byte of one that was joined late."""
    said = Scene().after(opened(), ELSEWHERE, Loss(STREAM, OUT, 1, 4, 6), chunk(OUT, 5, b"a"), StreamClosed(STREAM, 9, 6, 1))
    assert said[2:] == [Withheld(STREAM, OUT, 1, 5, 9), StreamClosed(STREAM, 9, 6, 1)]


def test_a_session_that_ends_has_said_what_stayed_of_it() -> None:
    scene, other, end = Scene(), StreamId("other"), SessionEnded(SESSION, 9)
    waited, theirs = chunk(OUT, 0, b"z", other), StreamOpened(StreamId("theirs"), ProcessId("p"), SessionId("t"), 1, "go")
    scene.after(opened(), ELSEWHERE, chunk(OUT, 0, b"ab"), opened(stream=other), waited, theirs)
    assert scene.after(end) == [Withheld(STREAM, OUT, 0, 2, 9), waited, end]
    assert list(scene.private._streams) == [theirs.stream]


def test_what_is_to_be_sent_now_is() -> None:
    scene = Scene()
    scene.private.flush()
    assert scene.flushed == 1
