"""Gathering a payload."""

from chaperone.collector.wire.buffer import Buffer
from chaperone.collector.wire.gather import PART_LIMIT, Nothing, Parts


def gathered() -> tuple[Parts, list[tuple[int, bytes, int, bool]]]:
    said: list[tuple[int, bytes, int, bool]] = []
    return Parts(Buffer(100), 90, lambda *part: said.append(part)), said


def test_pieces_are_handed_over_as_one() -> None:
    parts, said = gathered()
    for piece in (b"one", b"two", b"three"):
        parts.take(piece)
    parts.flush(final=True)
    assert said == [(90, b"onetwothree", 0, True)]


def test_a_single_piece_is_not_copied() -> None:
    parts, said = gathered()
    piece = b"x" * 1000
    parts.take(piece)
    parts.flush(final=True)
    assert said[0][1] is piece


def test_what_is_above_the_limit_comes_in_parts_of_that_size() -> None:
    parts, said = gathered()
    parts.take(b"x" * 10)
    assert parts.room() == PART_LIMIT - 10
    parts.take(b"y" * parts.room())
    parts.take(b"z")
    parts.flush(final=True)
    assert [(len(data), offset, final) for _, data, offset, final in said] == [(PART_LIMIT, 0, False), (1, PART_LIMIT, True)]


def test_what_came_before_a_hole_goes_on_ahead_of_it() -> None:
    parts, said = gathered()
    parts.take(b"before")
    parts.skip(10)
    parts.take(b"behind")
    parts.flush(final=True)
    assert said == [(90, b"before", 0, False), (110, b"behind", 16, True)]


def test_nothing_takes_everything_and_keeps_nothing() -> None:
    sink = Nothing()
    sink.take(b"x")
    sink.skip(1)
    assert sink.room() == PART_LIMIT
