import msgpack
from hypothesis import given
from hypothesis import strategies as st
from support.chunking import assert_chunking_invariant, cuts

from chaperone.collector.wire.events import Data, End, Lost
from chaperone.collector.wire.opaque import OpaqueReader
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN


@given(st.binary(min_size=1, max_size=50), st.binary(min_size=1, max_size=50), cuts(100))
def test_bytes_pass_as_they_are(out: bytes, back: bytes, at: list[int]) -> None:
    events = assert_chunking_invariant(lambda: OpaqueReader(7, (0, 0)), [(OUT, out), (IN, back)], at)
    assert events == [
        Data(7, OUT, 0, 1, out, len(out)),
        Data(7, IN, 0, 1, back, len(back)),
        End(7, OUT, len(out), 1),
        End(7, IN, len(back), 1),
    ]


def test_a_jump_is_lost_and_what_was_read_is_skipped() -> None:
    reader = OpaqueReader(7, (10, 0))
    assert reader.feed(OUT, 15, b"ab", 1) == [Lost(7, OUT, 10, 5, 1, "unknown"), Data(7, OUT, 15, 1, b"ab", 2)]
    assert reader.feed(OUT, 16, b"bc", 1) == [Data(7, OUT, 17, 1, b"c", 1)]


def test_it_goes_on_from_a_mark() -> None:
    reader = OpaqueReader(7, (3, 4))
    reader.feed(IN, 4, b"abc", 1)
    restored = OpaqueReader.restore(msgpack.unpackb(msgpack.packb(reader.mark())))
    assert restored.feed(IN, 5, b"bcd", 2) == [Data(7, IN, 7, 2, b"d", 1)]
