"""Whatever is taken out of a recording shows as a gap of its size."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.trace.gaps import AHEAD, LATE_NS, Gaps
from chaperone.agent.trace.values import Tls, TlsBytes, TlsClosed, TlsLost, Value
from chaperone.proto.records import Cause, Direction

ONE = Tls(pid=7, started=1, handle=0x1000, born=2, library="openssl", workload=1)
OTHER = Tls(pid=7, started=1, handle=0x2000, born=3, library="openssl", workload=1)
Piece = tuple[Tls, Direction, bytes]


def follow(values: list[Value]) -> list[Value]:
    gaps = Gaps()
    return [told for value in values for told in gaps.follow(value)]


def recorded(pieces: list[Piece]) -> list[Value]:
    """What the kernel would say about these calls, and the ends of both objects."""
    reached = {(tls, direction): 0 for tls in (ONE, OTHER) for direction in Direction}
    values: list[Value] = []
    for time, (tls, direction, data) in enumerate(pieces):
        values.append(TlsBytes(tls, direction, reached[tls, direction], data, time))
        reached[tls, direction] += len(data)
    ends = (TlsClosed(tls, 99, reached[tls, Direction.OUT], reached[tls, Direction.IN]) for tls in (ONE, OTHER))
    return [*values, *ends]


pieces = st.lists(st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(Direction), st.binary(min_size=1, max_size=5)), max_size=12)


@given(pieces)
def test_a_whole_recording_has_no_gap(pieces: list[Piece]) -> None:
    values = recorded(pieces)
    assert follow(values) == values


@given(pieces, st.data())
def test_what_was_dropped_is_said_byte_for_byte(pieces: list[Piece], data: st.DataObject) -> None:
    values = recorded(pieces)
    dropped = data.draw(st.sets(st.integers(0, max(len(pieces) - 1, 0)))) if pieces else set()
    told = follow([value for index, value in enumerate(values) if index not in dropped])
    for tls in (ONE, OTHER):
        for direction in Direction:
            whole = b"".join(data for at, way, data in pieces if (at, way) == (tls, direction))
            missing = sum(len(pieces[index][2]) for index in dropped if pieces[index][:2] == (tls, direction))
            assert_accounted(told, tls, direction, whole)
            assert (
                sum(lost.size for lost in told if isinstance(lost, TlsLost) and (lost.tls, lost.direction) == (tls, direction)) == missing
            )


def assert_accounted(told: list[Value], tls: Tls, direction: Direction, whole: bytes) -> None:
    position = 0
    for value in told:
        if isinstance(value, TlsBytes | TlsLost) and (value.tls, value.direction) == (tls, direction):
            assert value.position == position
            size = len(value.data) if isinstance(value, TlsBytes) else value.size
            assert not isinstance(value, TlsBytes) or whole[position : position + size] == value.data
            position += size
    assert position == len(whole)


def test_a_loss_that_the_kernel_told_keeps_its_cause() -> None:
    lost = TlsLost(ONE, Direction.OUT, 0, 10, 1, Cause.TOO_LONG)
    assert follow([lost, TlsBytes(ONE, Direction.OUT, 10, b"x", 2)]) == [lost, TlsBytes(ONE, Direction.OUT, 10, b"x", 2)]


def test_closed_objects_are_forgotten() -> None:
    gaps = Gaps()
    list(gaps.follow(TlsBytes(ONE, Direction.IN, 0, b"abc", 1)))
    assert gaps.of_process(7, 1) == (ONE,)
    assert gaps.reached(ONE) == (0, 3)
    list(gaps.follow(TlsClosed(ONE, 2, 0, 3)))
    assert gaps.open == {}


GO = replace(ONE, library="go")


def written(sizes: list[int]) -> list[TlsBytes]:
    """What so many goroutines wrote of one connection."""
    return [TlsBytes(GO, Direction.OUT, sum(sizes[:at]), bytes([at % 251]) * size, at) for at, size in enumerate(sizes)]


@given(st.lists(st.integers(1, 5), max_size=12), st.data())
def test_what_goroutines_wrote_at_once_is_told_in_its_order_however_it_comes(sizes: list[int], data: st.DataObject) -> None:
    whole, gaps = written(sizes), Gaps()
    told = [one for value in data.draw(st.permutations(whole)) for one in gaps.follow(value)]
    assert told == whole
    assert [*gaps.overdue(0), *gaps.overdue(10 * LATE_NS)] == []


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.data())
def test_what_never_comes_is_lost_once_it_is_overdue_or_its_object_ends(sizes: list[int], data: st.DataObject) -> None:
    whole, gaps = written(sizes), Gaps()
    dropped = data.draw(st.sets(st.sampled_from(whole)))
    told = [one for value in data.draw(st.permutations(whole)) if value not in dropped for one in gaps.follow(value)]
    if data.draw(st.booleans()):
        told += gaps.overdue(5)
        told += gaps.overdue(5 + LATE_NS)
        assert all(isinstance(value, TlsBytes) for value in told), "not yet"
        told += gaps.overdue(6 + LATE_NS)
    told += gaps.follow(TlsClosed(GO, 99, sum(sizes), 0))
    assert_accounted(told, GO, Direction.OUT, b"".join(value.data for value in whole))
    assert sum(value.size for value in told if isinstance(value, TlsLost)) == sum(len(value.data) for value in dropped)


def test_no_more_waits_than_is_bounded_and_what_waits_is_forgotten_with_its_workload() -> None:
    whole, gaps = written([1] * (AHEAD + 2)), Gaps()
    told = [one for value in whole[1:] for one in gaps.follow(value)]
    assert told == [TlsLost(GO, Direction.OUT, 0, 1, 1, Cause.RING_FULL), *whole[1:]]
    list(gaps.follow(replace(whole[-1], position=AHEAD + 9)))
    gaps.forget_workload(1)
    assert (gaps.open, gaps._ahead, list(gaps.overdue(1))) == ({}, {}, [])
