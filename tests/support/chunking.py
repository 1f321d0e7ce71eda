"""Bytes cut anywhere must give the same events: what every reader's tests pass through."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from hypothesis import strategies as st

from chaperone.collector.wire.events import Data, Event, StrandData
from chaperone.collector.wire.reader import Reader
from chaperone.proto.records import Direction

Piece = tuple[Direction, bytes]


def read(reader: Reader, pieces: Iterable[Piece], start: tuple[int, int] = (0, 0), time: int = 1) -> list[Event]:
    """All events of `pieces`, fed in order from `start` (out, in), closed, body data joined."""
    positions = list(start)
    events: list[Event] = []
    for direction, data in pieces:
        events += reader.feed(direction, positions[direction], data, time)
        positions[direction] += len(data)
    return joined(events + reader.close(time))


def recut(pieces: Iterable[Piece], cuts: Iterable[int]) -> list[Piece]:
    """The same pieces, cut further at `cuts`: offsets into all their bytes, as if they lay one behind the other."""
    wanted = sorted(set(cuts))
    result: list[Piece] = []
    passed = 0
    for direction, data in pieces:
        inside = [cut - passed for cut in wanted if passed < cut < passed + len(data)]
        result += [(direction, data[a:b]) for a, b in zip([0, *inside], [*inside, len(data)], strict=True)]
        passed += len(data)
    return result


def every_byte(pieces: Iterable[Piece]) -> list[Piece]:
    """The same pieces, one byte at a time."""
    return [(direction, data[i : i + 1]) for direction, data in pieces for i in range(len(data))]


def assert_chunking_invariant(make: Callable[[], Reader], pieces: Sequence[Piece], cuts: Iterable[int]) -> list[Event]:
    """Cut anywhere, the events are the same; return them. pieces: (direction, bytes) in order; cuts: offsets."""
    whole = read(make(), pieces)
    assert read(make(), recut(pieces, cuts)) == whole
    return whole


def joined(events: Iterable[Event]) -> list[Event]:
    """Events with neighbouring body data of one exchange, direction and strand made one; empty data left out."""
    result: list[Event] = []
    for _key, run in groupby(events, _run):
        result += _join(list(run))
    return result


def of(events: Iterable[Event], direction: Direction) -> list[Event]:
    """The events of one direction: what stays the same however the two directions are interleaved."""
    return joined(event for event in events if side(event) == direction)


def side(event: Event) -> Direction:
    """The direction an event belongs to: requests are OUT; responses and upgrades IN."""
    if isinstance(direction := getattr(event, "direction", None), Direction):
        return direction
    return Direction.OUT if type(event).__name__ == "Request" else Direction.IN


def cuts(size: int, most: int = 12) -> st.SearchStrategy[list[int]]:
    """Offsets to cut `size` bytes at."""
    return st.lists(st.integers(0, max(size, 1)), max_size=most)


@st.composite
def interleavings(draw: st.DrawFn, out: bytes, back: bytes) -> list[Piece]:
    """Both directions in pieces, each in its own order, in any order to one another."""
    left = {Direction.OUT: out, Direction.IN: back}
    pieces: list[Piece] = []
    while any(left.values()):
        direction = draw(st.sampled_from([d for d in Direction if left[d]]))
        size = draw(st.integers(1, len(left[direction])))
        pieces.append((direction, left[direction][:size]))
        left[direction] = left[direction][size:]
    return pieces


def _run(event: Event) -> object:
    if isinstance(event, Data):
        return (event.exchange, event.direction)
    if isinstance(event, StrandData):
        return (event.exchange, event.direction, event.strand)
    return object()


def _join(run: list[Event]) -> list[Event]:
    first, last = run[0], run[-1]
    if not isinstance(first, Data | StrandData):
        return run
    data = b"".join(bytes(event.data) for event in run)  # type: ignore[union-attr]
    whole = replace(first, data=data, time=last.time)
    if isinstance(whole, Data):
        sized = replace(whole, size=sum(event.size for event in run))  # type: ignore[union-attr]
        return [sized] if data or sized.size else []
    ended = replace(whole, end=last.end)  # type: ignore[union-attr]
    return [ended] if data or ended.end else []
