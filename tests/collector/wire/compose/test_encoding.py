"""Where a request asks for a compressed answer."""

import hpack
import pytest

from chaperone.collector.wire.compose.encoding import in_block, in_head
from chaperone.collector.wire.compose.units import Edit
from chaperone.proto.refusals import Refusal, made

REQUEST = [(":method", "GET"), (":path", "/x"), ("accept", "*/*"), ("accept-encoding", "gzip"), ("user-agent", "kubectl/1")]


def edited(data: bytes, edits: tuple[Edit, ...], at: int) -> bytes:
    for edit in edits:
        begin, end = edit.begin - at, edit.end - at
        data = data[:begin] + made(edit.template, data[begin:end], Refusal("edited")) + data[end:]
    return data


def test_a_head_says_another_coding_of_the_same_length() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding:  gzip, br \r\naccept-encoding: br\r\nX-Accept-Encoding: gzip\r\n\r\n"
    wanted = b"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding:  noneeeee \r\naccept-encoding: no\r\nX-Accept-Encoding: gzip\r\n\r\n"
    assert edited(head, in_head(head, 100), 100) == wanted


@pytest.mark.parametrize("huffman", [True, False])
def test_a_block_puts_the_same_size_into_both_tables(huffman: bool) -> None:
    encoder, server = hpack.Encoder(), hpack.Decoder()
    for number in range(3):
        block = encoder.encode(REQUEST, huffman=huffman)
        found = in_block(block, 50)
        assert bool(found) is (number == 0), "indexed from then on"
        fields = dict(server.decode(edited(block, found, 50)))
        assert fields["accept-encoding"] == "none" and fields["user-agent"] == "kubectl/1"
    assert server.header_table._current_size == encoder.header_table._current_size


def test_other_values_stay_where_they_are_packed() -> None:
    fields = [("accept-encoding", "deflate, gzip, br, zstd")]
    packed, plain = hpack.Encoder().encode(fields, huffman=True), hpack.Encoder().encode(fields, huffman=False)
    assert in_block(packed, 0) == ()
    assert dict(hpack.Decoder().decode(edited(plain, in_block(plain, 0), 0)))["accept-encoding"] == "noneeeeeeeeeeeeeeeeeeee"


def test_a_name_of_its_own_is_known_and_a_torn_block_is_left() -> None:
    block = b"\x00\x0faccept-encoding\x04gzip"
    assert in_block(block, 0) == (Edit(18, 22, "uncompressed"),)
    assert in_block(block[:-1], 0) == () == in_block(block[:10], 0) == in_block(b"\xff\xff", 0)
