from collections.abc import Callable

import pytest

from chaperone.agent.hold.lane import Lane, Unfinished
from chaperone.agent.hold.room import BYTES, CALLS, TOO_MANY_BYTES, TOO_MANY_CALLS, Room
from chaperone.agent.hold.waiting import Waiting
from chaperone.agent.trace.layout import Stream, StreamKey
from chaperone.agent.trace.values import Site, Tls, TlsHeld
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction

KEY = StreamKey(1, 2, 3, 4)


class Positions:
    """The kernel's table of streams: how far each is; None: it is over."""

    def __init__(self, out: int | None = 0) -> None:
        self.out = out

    def entry(self, _table: str, _mirror: type[Stream], _key: StreamKey) -> Stream | None:
        return None if self.out is None else Stream(positions=(self.out, 0))


def lane(change: Callable[[Lane], None] = lambda _lane: None) -> Lane:
    made = Lane(KEY, begin=1)
    change(made)
    return made


def room(out: int | None = 0) -> Room:
    return Room(Positions(out), 100, 3)  # type: ignore[arg-type]


def waiting(size: int) -> Waiting:
    held = TlsHeld(Tls(1, 2, 3, 4, "openssl", 1), Direction.OUT, 0, size, 6, 1, Site.WRITE, 7)
    return Waiting(held, StreamId("s"), lane(), bytes(size), 0)


def test_calls_that_wait_take_room_before_the_next_is_read() -> None:
    assert room().lack(40, [waiting(60)], []) == ""
    assert room().lack(41, [waiting(60)], []) == TOO_MANY_BYTES
    assert room().lack(0, [waiting(1)] * 2, []) == ""
    assert room().lack(0, [waiting(1)] * 3, []) == TOO_MANY_CALLS


def gathered(made: Lane) -> None:
    made.keep(Direction.OUT, 1, bytes(30))
    made.keep(Direction.IN, 1, bytes(20))


def owed(made: Lane) -> None:
    made.owed = bytes(50)


def offered(made: Lane) -> None:
    made.unfinished = Unfinished(1, bytes(50), 0, 0, 0, 9)


@pytest.mark.parametrize("change", [gathered, owed, offered])
def test_so_does_what_is_kept_of_streams(change: Callable[[Lane], None]) -> None:
    assert room().lack(10, [waiting(40)], [lane(change)]) == ""
    assert room().lack(11, [waiting(40)], [lane(change)]) == TOO_MANY_BYTES


@pytest.mark.parametrize(("out", "lack"), [(0, TOO_MANY_BYTES), (49, TOO_MANY_BYTES), (50, ""), (None, "")])
def test_a_write_may_come_again_until_all_of_it_was_accepted(out: int | None, lack: str) -> None:
    def passed(made: Lane) -> None:
        made.passed = 1, bytes(50)

    before = lane(passed)
    assert room(out).lack(60, [], [before]) == lack
    assert before.was_passed(1, bytes(50)) == bool(lack)


@pytest.mark.parametrize(("out", "lack"), [(0, TOO_MANY_BYTES), (50, ""), (None, "")])
def test_so_does_one_in_whose_place_as_many_bytes_left(out: int | None, lack: str) -> None:
    def replaced(made: Lane) -> None:
        made.unfinished = Unfinished(1, bytes(50), 0, 0, 0, 50)

    assert room(out).lack(60, [], [lane(replaced)]) == lack


def test_the_limits_are_said() -> None:
    assert (f"{BYTES >> 20} MiB" in TOO_MANY_BYTES, f"{CALLS} " in TOO_MANY_CALLS) == (True, True)
