import contextlib

import hpack
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire.buffer import Malformed
from chaperone.collector.wire.hpack import LIST_LIMIT, TABLE_LIMIT, HeaderBlocks

FIELDS = st.lists(
    st.tuples(st.sampled_from([":path", "authorization", "x-a", "x-b"]), st.text("abcXYZ-/ ", max_size=60)), min_size=1, max_size=8
)


def late() -> HeaderBlocks:
    blocks = HeaderBlocks()
    blocks.table.forget()
    return blocks


@given(st.lists(FIELDS, min_size=1, max_size=12))
def test_every_block_decodes_as_it_was_encoded(lists: list[list[tuple[str, str]]]) -> None:
    encoder, blocks = hpack.Encoder(), HeaderBlocks()
    for fields in lists:
        assert blocks.fields(encoder.encode(fields)) == (fields, True)


@given(st.lists(FIELDS, min_size=2, max_size=12), st.integers(1, 5))
def test_joined_late_no_value_is_wrong(lists: list[list[tuple[str, str]]], missed: int) -> None:
    encoder, blocks = hpack.Encoder(), late()
    for number, fields in enumerate(lists):
        encoded = encoder.encode(fields)
        if number < missed:
            continue
        for (name, value), (true_name, true_value) in zip(blocks.fields(encoded)[0], fields, strict=True):
            assert name in (None, true_name)
            assert value in (None, true_value)


def test_joined_late_static_and_new_entries_are_known_and_older_ones_are_not() -> None:
    encoder, blocks = hpack.Encoder(), late()
    encoder.encode([("x-old", "1")])
    second = encoder.encode([(":method", "GET"), ("x-old", "1"), ("x-new", "2")])
    assert blocks.fields(second)[0] == [(":method", "GET"), (None, None), ("x-new", "2")]
    third = encoder.encode([("x-new", "2"), ("x-old", "1")])
    assert blocks.fields(third)[0] == [("x-new", "2"), (None, None)]


def test_an_unknown_name_keeps_its_known_value() -> None:
    encoder, blocks = hpack.Encoder(), late()
    encoder.encode([("audit-id", "1")])
    assert blocks.fields(encoder.encode([("audit-id", "37d32da8")]))[0] == [(None, "37d32da8")]
    assert blocks.fields(encoder.encode([("audit-id", "37d32da8")]))[0] == [(None, "37d32da8")]


def test_a_table_that_was_emptied_is_known_again() -> None:
    encoder, blocks = hpack.Encoder(), late()
    encoder.encode([("x-old", "1")])
    encoder.header_table_size = 0
    encoder.header_table_size = 4096
    assert blocks.fields(encoder.encode([("x-old", "1")]))[0] == [("x-old", "1")]
    assert not blocks.table.late


def test_in_step_an_index_that_is_not_there_is_malformed() -> None:
    with pytest.raises(Malformed, match="InvalidTableIndex"):
        HeaderBlocks().fields(b"\xbe")
    with pytest.raises(Malformed):
        late().fields(b"\xff\xff\xff\x7f")
    with pytest.raises(Malformed):
        late().fields(b"\x80")


def test_a_table_over_its_limit_is_refused() -> None:
    encoder = hpack.Encoder()
    encoder.header_table_size = TABLE_LIMIT + 1
    with pytest.raises(Malformed, match="InvalidTableSize"):
        HeaderBlocks().fields(encoder.encode([("a", "b")]))


def test_a_megabyte_of_fields_is_read_and_ten_are_refused() -> None:
    encoder = hpack.Encoder()
    token = "t" * (1024 * 1024)
    assert HeaderBlocks().fields(encoder.encode([("authorization", token)], huffman=False))[0] == [("authorization", token)]
    with pytest.raises(Malformed, match="OversizedHeaderList"):
        HeaderBlocks().fields(hpack.Encoder().encode([("authorization", token * 10)], huffman=False))


def test_a_small_block_that_unpacks_to_a_huge_list_is_refused() -> None:
    encoder = hpack.Encoder()
    bomb = encoder.encode([("x", "v" * 4000)]) + b"\xbe" * (LIST_LIMIT // 4000 + 1)
    with pytest.raises(Malformed, match="OversizedHeaderList"):
        HeaderBlocks().fields(bomb)


def test_many_literals_before_a_large_one_stay_linear() -> None:
    block = b"\x00\x01a\x01b" * 16_000 + hpack.Encoder().encode([("x", "v" * 1_000_000)], huffman=False)
    assert len(HeaderBlocks().fields(block)[0]) == 16_001


def test_what_is_not_utf8_is_said() -> None:
    assert HeaderBlocks().fields(b"\x00\x01a\x01\xff") == ([("a", "\ufffd")], False)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_fields_or_malformed(data: bytes, is_late: bool) -> None:
    with contextlib.suppress(Malformed):
        (late() if is_late else HeaderBlocks()).fields(data)


@given(st.lists(FIELDS, min_size=2, max_size=10), st.integers(1, 9), st.booleans())
def test_a_restored_table_decodes_the_same(lists: list[list[tuple[str, str]]], at: int, is_late: bool) -> None:
    encoder, blocks = hpack.Encoder(), late() if is_late else HeaderBlocks()
    encoded = [encoder.encode(fields) for fields in lists]
    at = min(at, len(encoded) - 1)
    for block in encoded[is_late:at]:
        blocks.fields(block)
    restored = HeaderBlocks.restore(msgpack.unpackb(msgpack.packb(blocks.mark())))
    for block in encoded[max(at, is_late) :]:
        assert restored.fields(block) == blocks.fields(block)
