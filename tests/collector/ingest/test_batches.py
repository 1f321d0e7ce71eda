import tracemalloc
from typing import Any

import msgpack
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.ingest.batches import records_in
from chaperone.proto.capture_pb2 import Batch
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Bound, Chunk, Direction, Loss, Note, Outcome, ProcessSeen, Record, SessionStarted, Unknown, pack

LIMIT = 1 << 20
CHUNK = Chunk(StreamId("t"), Direction.OUT, 5, b"bytes", 7)


def framed(data: bytes, size: int | None = None) -> Batch:
    return Batch(number=1, records=zstandard.ZstdCompressor().compress(data), size=len(data) if size is None else size)


def arrays(*values: Any) -> Batch:
    return framed(b"".join(msgpack.packb(value) for value in values))


def test_records_come_back_as_they_were() -> None:
    records = [CHUNK, SessionStarted(SessionId("s"), "run", 1, labels={"a": "b"}), Note(SessionId("s"), 2, "x", "y", complete=False)]
    assert records_in(framed(pack(records)), LIMIT) == records


def test_what_a_record_may_leave_out_is_no_fault() -> None:
    records: list[Record] = [Bound(StreamId("t"), 1), ProcessSeen(ProcessId("p"), SessionId("s"), 1, 100)]
    assert records_in(framed(pack(records)), LIMIT) == records


def test_an_unknown_kind_is_let_through() -> None:
    assert records_in(arrays([99, "what"]), LIMIT) == [Unknown(99)]


def test_a_frame_larger_than_it_says_is_not_inflated() -> None:
    bomb = framed(b"\0" * (64 << 20), size=1000)
    assert len(bomb.records) < 10_000
    with pytest.raises(ValueError, match="frame"):
        records_in(bomb, LIMIT)


def test_what_a_frame_says_of_itself_costs_no_memory() -> None:
    """zstd allocates the size a frame states, whatever limit its caller gives."""
    liar = b"\x28\xb5\x2f\xfd\xe0" + (1 << 60).to_bytes(8, "little") + b"\x01\0\0"
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(b"\0" * 1000)
    bomb = framed(b"\0" * (64 << 20), size=1000)
    tracemalloc.start()
    try:
        for batch in (Batch(number=1, records=liar, size=10), Batch(number=1, records=silent, size=1000), bomb):
            with pytest.raises(ValueError, match="frame"):
                records_in(batch, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_batch_over_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=f"{LIMIT + 1} bytes, at most {LIMIT}"):
        records_in(framed(b"", size=LIMIT + 1), LIMIT)


def test_a_frame_smaller_than_it_says_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of 3 bytes that says it has 5"):
        records_in(framed(b"\x91\x63\x00"[:3], size=5), LIMIT)


@pytest.mark.parametrize(
    "array",
    [
        [7, "t", 0, -1, b"x", 1],
        [7, "t", 0, 2**63, b"x", 1],
        [7, "t", 2, 0, b"x", 1],
        [7, "t", 0, 0, "text", 1],
        [7, 5, 0, 0, b"x", 1],
        [7, "t", 0, 0, b"x", 1.5],
        [1, "s", "w", 1, "u", [1, 2]],
        [1, "s", "w", 1, "u", [], "/", "n", [], {"a": 1}],
        [3, "p", "s", 1, 2, "x", [], "", 2**40],
        [12, "s", 1, "x", "y", "yes"],
    ],
)
def test_a_record_with_a_field_out_of_bounds_is_named_and_not_quoted_and_the_rest_goes_on(array: list[Any]) -> None:
    good = [12, "s", 1, "x", "y", True]
    bad, *rest = records_in(arrays(array, good), LIMIT)
    assert isinstance(bad, Unknown) and bad.kind == array[0]
    assert "." in bad.reason or "lacks" in bad.reason
    assert "yes" not in bad.reason
    assert rest == [Note(SessionId("s"), 1, "x", "y")]


def test_the_session_of_a_bad_record_is_kept() -> None:
    [bad] = records_in(arrays([3, "p", "s", 1, 2, "x", [], "", 2**40]), LIMIT)
    assert bad == Unknown(3, "ProcessSeen.uid is out of bounds", SessionId("s"))


def test_addresses_and_cookies_may_use_all_64_bits() -> None:
    assert records_in(arrays([5, "t", "p", "s", 1, "go", 2**64 - 1]), LIMIT)
    assert records_in(framed(pack([Loss(StreamId("t"), Direction.IN, 1, 2, 3)])), LIMIT)


def test_what_left_may_be_shorter_than_what_was_written() -> None:
    outcome = Outcome("h", "write", 1, gained=-200)
    assert records_in(framed(pack([outcome])), LIMIT) == [outcome]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_value_error(data: bytes) -> None:
    for batch in (framed(data), Batch(records=data, size=len(data))):
        try:
            records_in(batch, LIMIT)
        except ValueError:
            continue


def test_records_that_are_cut_off_are_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        records_in(framed(pack([CHUNK, CHUNK])[:-1]), LIMIT)
