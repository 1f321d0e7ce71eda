import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.intake import Gap, Intake

LINE = re.compile(rb"\n")


def filled(*pieces: bytes) -> Intake:
    intake = Intake()
    for time, piece in enumerate(pieces):
        intake.add(intake.end, piece, time)
    return intake


def test_bytes_across_chunks_are_joined_and_carry_the_later_time() -> None:
    intake = filled(b"ab", b"cd", b"ef")
    assert intake.take(3) == b"abc"
    assert (intake.position, intake.time) == (3, 1)


def test_body_bytes_are_slices_of_the_chunk_that_was_fed() -> None:
    chunk = b"x" * 10_000
    intake = filled(chunk)
    assert intake.some(5000).obj is chunk
    assert intake.some(9999).obj is chunk


def test_bytes_that_came_before_are_skipped() -> None:
    intake = filled(b"abcd")
    intake.add(2, b"cdef", 1)
    intake.add(0, b"ab", 2)
    assert intake.take(intake.ready) == b"abcdef"


def test_a_jump_is_a_gap_in_its_place() -> None:
    intake = filled(b"ab")
    intake.add(5, b"cd", 7)
    assert intake.ready == 2
    assert intake.take(2) == b"ab"
    with pytest.raises(Hole):
        intake.has(1)
    assert intake.bridge() == Gap(2, 3, 7, "unknown")
    assert (intake.position, intake.take(2)) == (5, b"cd")


def test_a_first_chunk_further_on_was_joined_late() -> None:
    intake = Intake()
    intake.add(100, b"x", 1)
    assert intake.gap() == Gap(0, 100, 1, "joined late")


def test_a_line_is_claimed_through_its_end() -> None:
    intake = filled(b"on", b"e\ntwo", b"\n")
    assert intake.through(LINE, 0, 10) == b"one\n"
    assert intake.through(LINE, 0, 10) == b"two\n"
    assert intake.through(LINE, 0, 10) is None


def test_a_line_over_its_limit_is_malformed_whether_or_not_its_end_is_there() -> None:
    for pieces in ((b"x" * 11,), (b"x" * 11 + b"\n",), (b"x",) * 11):
        with pytest.raises(Malformed, match="no end within 10 bytes"):
            filled(*pieces).through(LINE, 0, 10)


def test_a_gap_inside_a_line_is_a_hole() -> None:
    intake = filled(b"ab")
    intake.lose(3, 1, "ring full")
    with pytest.raises(Hole):
        intake.through(LINE, 0, 10)


def test_single_waiting_bytes_do_not_cost_an_object_each() -> None:
    intake = Intake()
    for _ in range(100_000):
        intake.add(intake.end, b"x", 1)
    assert len(intake._later) < 100
    assert intake.take(100_000) == b"x" * 100_000


def test_single_bytes_at_different_times_are_joined_in_the_end() -> None:
    intake = filled(*[b"x"] * 50_000)
    assert len(intake._later) < 5000


def test_the_rest_is_handed_over_with_its_gaps() -> None:
    intake = filled(b"abc", b"def")
    intake.lose(4, 9, "ring full")
    intake.add(10, b"gh", 10)
    intake.take(1)
    assert intake.rest() == [(1, b"bc", 0), (3, b"def", 1), Gap(6, 4, 9, "ring full"), (10, b"gh", 10)]
    assert (intake.held, intake.position) == (0, 12)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=20), st.lists(st.integers(1, 20), max_size=40))
def test_claims_of_any_size_give_the_bytes_in_order(pieces: list[bytes], claims: list[int]) -> None:
    intake, whole, claimed = filled(*pieces), b"".join(pieces), b""
    for number, size in enumerate(claims):
        size = min(size, intake.ready)
        if size:
            claimed += intake.take(size) if number % 2 else bytes(intake.some(size))
    assert claimed == whole[: len(claimed)]
    assert intake.position == len(claimed)
    assert bytes(intake.window()) == whole[len(claimed) :]


def test_nothing_can_be_claimed_of_nothing() -> None:
    assert Intake().take(0) == b""
