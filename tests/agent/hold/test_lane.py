from dataclasses import replace

import pytest

from chaperone.agent.hold.lane import KEPT_LIMIT, Lane, OrderError, Piece, Unfinished
from chaperone.agent.trace.layout import StreamKey
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal

OUT, IN = Direction.OUT, Direction.IN
NONE = Refusal("x")


@pytest.fixture
def lane() -> Lane:
    return Lane(StreamKey(1, 2, 3, 4))


def test_what_is_gathered_can_leave_and_what_was_dropped_cannot(lane: Lane) -> None:
    lane.keep(OUT, 10, b"abc")
    lane.keep(OUT, 13, b"def")
    assert lane.composed(OUT, [Piece(11, 15, "", NONE)]) == b"bcde"
    lane.drop(OUT, 13)
    assert lane.composed(OUT, [Piece(13, 16, "", NONE)]) == b"def" and lane.size == 3
    with pytest.raises(OrderError):
        lane.composed(OUT, [Piece(12, 16, "", NONE)])


def test_bytes_that_come_again_are_kept_once(lane: Lane) -> None:
    lane.keep(OUT, 0, b"abc")
    lane.keep(OUT, 0, b"abcd")
    assert lane.gathered(OUT) == b"abcd"


def test_what_passed_between_is_not_among_what_was_gathered(lane: Lane) -> None:
    """A frame that waits, one that overtook it, and one that waits behind that."""
    lane.keep(OUT, 0, b"first")
    lane.keep(OUT, 15, b"third")
    assert lane.composed(OUT, [Piece(0, 5, "", NONE), Piece(15, 20, "", NONE)]) == b"firstthird"
    with pytest.raises(OrderError):
        lane.composed(OUT, [Piece(4, 16, "", NONE)])
    lane.drop(OUT, 17)
    assert lane.gathered(OUT) == b"ird" and lane.composed(OUT, [Piece(17, 20, "", NONE)]) == b"ird"


def test_directions_are_apart(lane: Lane) -> None:
    lane.keep(IN, 5, b"in")
    with pytest.raises(OrderError):
        lane.composed(OUT, [Piece(5, 7, "", NONE)])


def test_an_insertion_needs_no_bytes(lane: Lane) -> None:
    assert b"403 Forbidden" in lane.composed(IN, [Piece(9, 9, "http1-forbidden", Refusal("id", "no"))])


@pytest.mark.parametrize("template", ["http2-malformed", "unknown"])
def test_only_what_a_template_makes_is_made(lane: Lane, template: str) -> None:
    lane.keep(OUT, 0, b"no frames")
    with pytest.raises(OrderError):
        lane.composed(OUT, [Piece(0, 9, template, Refusal("id"))])


def test_gathering_has_a_limit(lane: Lane) -> None:
    lane.keep(OUT, 0, bytes(KEPT_LIMIT))
    with pytest.raises(OrderError):
        lane.keep(OUT, KEPT_LIMIT, b"x")


def test_the_rest_of_a_write_that_was_let_go_is_known(lane: Lane) -> None:
    lane.passed = 5, b"hello"
    assert lane.was_passed(5, b"hello") and lane.was_passed(7, b"llo") and lane.was_passed(7, b"l")
    assert not lane.was_passed(7, b"lo") and not lane.was_passed(5, b"hello!") and not lane.was_passed(4, b"hello")
    assert not lane.was_passed(10, b"")


def test_of_what_was_accepted_nothing_comes_again(lane: Lane) -> None:
    lane.passed = 5, b"hello"
    assert [lane.may_repeat(at) for at in (4, 5, 9, 10)] == [False, True, True, False] and lane.size == 5
    lane.accepted(9)
    assert lane.may_repeat(9)
    lane.accepted(10)
    assert not lane.may_repeat(9) and lane.size == 0


def test_a_write_that_is_not_done_may_come_again(lane: Lane) -> None:
    lane.unfinished = Unfinished(7, b"abc", 0, 0, 0, 9)
    assert [lane.may_repeat(at) for at in (6, 7, 8)] == [False, True, False] and lane.size == 3
    assert lane.goes_on(7, b"abc") and not lane.goes_on(7, b"xyz") and not lane.goes_on(8, b"abc")
    lane.unfinished = replace(lane.unfinished, is_called=True)
    assert lane.goes_on(7, b"xyz") and not lane.goes_on(8, b"abc")


def test_a_write_in_whose_place_as_many_bytes_were_accepted_is_over(lane: Lane) -> None:
    """Nobody meets its return. Of another length, or one that goes on, it is met: there its caller is told its own length."""
    same = Unfinished(7, b"abc", 0, 0, 0, 3)
    for write, at, is_over in ((same, 9, False), (same, 10, True), (replace(same, size=9), 10, False), (replace(same, done=1), 10, False)):
        lane.unfinished = write
        lane.accepted(at)
        assert (lane.unfinished is None) == is_over


def test_what_was_put_into_its_process_for_a_write_is_known() -> None:
    assert Unfinished(7, b"abc", 0x9000, 0x1000, 0x9000, 9).space == range(0x1000, 0x1009)
    assert Unfinished(7, b"abc", 0x9000, 0x1000, 0x1009, 9).space == range(0x1000, 0x100C), "a copy lies behind"
