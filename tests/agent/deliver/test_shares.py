"""What a flooding session may have leaves the others their room."""

from chaperone.agent.deliver.shares import Shares
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    NO_SESSION,
    Chunk,
    Direction,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
)

HOG, OTHER = SessionId("hog"), SessionId("other")


def filled(shares: Shares, session: SessionId, room: int, step: int = 10) -> int:
    """How much it gets of a room that it has alone so far."""
    taken = shares.waiting.total()
    while shares.is_within(session, step, room - taken):
        shares.add(session, step)
        taken += step
    return shares.waiting[session]


def two() -> Shares:
    shares = Shares()
    for session in (HOG, OTHER):
        shares.owner(SessionStarted(session, str(session), 1))
    return shares


def test_one_alone_has_everything() -> None:
    shares = Shares()
    shares.owner(SessionStarted(HOG, "hog", 1))
    assert filled(shares, HOG, 3000) == 3000


def test_a_flood_leaves_a_third_even_if_nobody_else_says_anything_yet() -> None:
    shares = two()
    assert filled(shares, HOG, 3000) == 2000
    assert shares.is_within(OTHER, 600, 1000)


def test_what_was_taken_away_is_room_again() -> None:
    shares = two()
    filled(shares, HOG, 3000)
    shares.take({HOG: 2000})
    assert not shares.waiting and shares.is_within(HOG, 1000, 3000)


def test_when_the_others_have_ended_one_is_alone() -> None:
    shares = two()
    shares.owner(SessionEnded(OTHER, 2))
    assert filled(shares, HOG, 3000) == 3000


def test_each_record_has_an_owner_as_long_as_its_stream_or_process_is_open() -> None:
    shares, stream, process = Shares(), StreamId("t"), ProcessId("p")
    said: list[tuple[Record, SessionId]] = [
        (ProcessSeen(process, HOG, 1, 5), HOG),
        (StreamOpened(stream, process, HOG, 1, "openssl"), HOG),
        (Chunk(stream, Direction.OUT, 0, b"x", 2), HOG),
        (StreamClosed(stream, 3), HOG),
        (ProcessEnded(process, 4), HOG),
        (Chunk(stream, Direction.OUT, 0, b"x", 2), NO_SESSION),
        (ProcessEnded(process, 4), NO_SESSION),
    ]
    for record, owner in said:
        assert shares.owner(record) == owner
