import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire.huffman import decode

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_what_was_encoded_comes_back(text: bytes) -> None:
    assert decode(ENCODER.encode(text)) == text


@given(st.binary(max_size=20))
def test_any_bytes_are_read_as_hpack_reads_them(data: bytes) -> None:
    try:
        expected = decode_huffman(data)
    except HPACKDecodingError:
        with pytest.raises(HPACKDecodingError):
            decode(data)
    else:
        assert decode(data) == expected


def test_padding_must_be_short_and_all_ones() -> None:
    assert decode(b"\x1f") == b"a"  # 00011 111
    for data in (b"\x18", b"\x1f\xff", b"\xff\xff\xff\xff"):
        with pytest.raises(HPACKDecodingError):
            decode(data)
