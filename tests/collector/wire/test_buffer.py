"""Unclaimed bytes of one direction."""

import pytest

from chaperone.collector.wire.buffer import Buffer, Hole, Wait


def result(waiting: Wait) -> bytes | None:
    """What it returns now; None while it waits."""
    try:
        next(waiting)
    except StopIteration as done:
        return bytes(done.value)
    return None


def test_claims_move_the_position() -> None:
    buffer = Buffer(100)
    buffer.add(b"abcdef")
    assert (buffer.take(2), buffer.position) == (b"ab", 102)
    buffer.drop(1)
    assert (buffer.take(10), buffer.position) == (b"def", 106)


def test_exactly_waits_for_all_of_it() -> None:
    buffer = Buffer()
    waiting = buffer.exactly(4)
    assert result(waiting) is None
    buffer.add(b"abc")
    assert result(waiting) is None
    buffer.add(memoryview(b"de"))
    assert result(waiting) == b"abcd"
    assert bytes(buffer.held) == b"e"


def test_some_waits_for_the_first_byte_only() -> None:
    buffer = Buffer()
    waiting = buffer.some(10)
    assert result(waiting) is None
    buffer.add(b"abc")
    assert result(waiting) == b"abc"
    buffer.add(b"abc")
    assert result(buffer.some(2)) == b"ab"


def test_a_skip_gives_up_what_is_held_and_what_never_came() -> None:
    buffer = Buffer(10)
    buffer.add(b"abc")
    buffer.skip(5)
    assert (buffer.position, bytes(buffer.held)) == (18, b"")


def test_a_hole_reaches_the_parser_where_it_waits() -> None:
    waiting = Buffer().exactly(1)
    next(waiting)
    with pytest.raises(Hole) as caught:
        waiting.throw(Hole(7, "gone"))
    assert (caught.value.size, caught.value.cause) == (7, "gone")
