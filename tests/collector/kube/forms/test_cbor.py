from itertools import pairwise

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.forms.cbor import DEPTH_LIMIT, SELF_DESCRIBED, Items, parse_cbor
from chaperone.collector.kube.forms.parsed import UnreadableError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8) | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
LIMIT = 1000


@given(VALUES)
def test_what_an_independent_encoder_writes_is_read_back(value: object) -> None:
    assert parse_cbor(SELF_DESCRIBED + cbor2.dumps(value)).value == value


def test_byte_strings_are_text_and_marked_bytes_are_base64() -> None:
    secret = {b"kind": b"Secret", b"data": {b"password": cbor2.CBORTag(22, b"s3cr\xff")}}
    assert parse_cbor(cbor2.dumps(secret)).value == {"kind": "Secret", "data": {"password": "czNjcv8="}}


def test_indefinite_lengths_are_joined() -> None:
    assert parse_cbor(b"\xbf\x41a\x5f\x41b\x41c\xff\x41d\x9f\x01\x02\xff\xff").value == {"a": "bc", "d": [1, 2]}


@given(st.lists(VALUES, max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_a_sequence_is_cut_at_its_items_however_it_comes(values: list[object], cuts: list[int]) -> None:
    encoded = [cbor2.dumps(value) for value in values]
    data = b"".join(encoded)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    items = Items(LIMIT)
    assert [item for a, b in pairwise(edges) for item in items.feed(data[a:b])] == encoded
    assert not items.held


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9a\x7f\xff\xff\xff",  # an array of 2^31 - 1
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",  # a byte string of 2^63 - 1
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81" * 100_000 + b"\x00",
        b"\x9f" * 100_000,
        SELF_DESCRIBED * 1000 + b"\x00",
        b"\xff",
        b"\x1c",
        b"\x01\x02",
        b"\xa2\x61a\x01\x61a\x02",
        b"\xa1\x01\x02",
        b"\xf7",
        b"\xe0",
        cbor2.dumps(2**70),
        cbor2.dumps(cbor2.CBORTag(35, "a+")),
        cbor2.dumps(cbor2.CBORTag(28, [1])),
        cbor2.dumps(cbor2.CBORTag(22, "text")),
    ],
)
def test_what_kubernetes_cannot_read_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        parse_cbor(data)


def test_depth_is_limited_exactly() -> None:
    assert parse_cbor(b"\x81" * (DEPTH_LIMIT - 1) + b"\x00").value
    with pytest.raises(UnreadableError, match=f"deeper than {DEPTH_LIMIT}"):
        parse_cbor(b"\x81" * (DEPTH_LIMIT + 1) + b"\x00")


def test_an_item_over_the_limit_is_refused_before_it_is_held() -> None:
    items = Items(LIMIT)
    with pytest.raises(UnreadableError, match="over the limit"):
        items.feed(b"\x5a\x7f\xff\xff\xff")
    long = Items(LIMIT)
    with pytest.raises(UnreadableError, match=f"over {LIMIT} bytes"):
        for _ in range(10):
            long.feed(b"\x9f" + b"\x18\x20" * 200)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    try:
        parse_cbor(data)
    except UnreadableError:
        return
