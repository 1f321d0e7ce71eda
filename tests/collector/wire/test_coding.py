import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chunking import cuts

from chaperone.collector.wire.coding import Decoder


def packed(data: bytes, bits: int) -> bytes:
    deflater = zlib.compressobj(1, zlib.DEFLATED, bits)
    return deflater.compress(data) + deflater.flush()


def gzipped(data: bytes) -> bytes:
    return packed(data, 16 + zlib.MAX_WBITS)


def decoded(decoder: Decoder, data: bytes, at: list[int]) -> bytes:
    edges = [0, *sorted(cut for cut in at if 0 < cut < len(data)), len(data)]
    return b"".join(bytes(decoder.feed(data[a:b])) for a, b in pairwise(edges))


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5), cuts(4000))
def test_concatenated_gzip_members_decode_however_they_are_cut(members: list[bytes], at: list[int]) -> None:
    decoder = Decoder("gzip")
    assert decoded(decoder, b"".join(map(gzipped, members)), at) == b"".join(members)
    assert decoder.finish() == ""


@pytest.mark.parametrize("bits", [zlib.MAX_WBITS, -zlib.MAX_WBITS])
def test_deflate_decodes_with_and_without_its_wrapper(bits: int) -> None:
    data = packed(b"one two three" * 99, bits)
    for at in ([], list(range(len(data)))):
        decoder = Decoder("deflate")
        assert decoded(decoder, data, at) == b"one two three" * 99
        assert decoder.finish() == ""


def test_each_member_is_out_before_the_next_one_comes() -> None:
    decoder = Decoder("gzip")
    assert decoder.feed(gzipped(b"first\n")) == b"first\n"
    assert decoder.feed(gzipped(b"second\n")) == b"second\n"


def test_identity_hands_on_the_very_bytes() -> None:
    data = memoryview(b"abc")
    assert Decoder(None).feed(data) is data


def test_an_unknown_coding_is_said_and_gives_nothing() -> None:
    for name in ("br", "gzip, gzip", "zstd"):
        decoder = Decoder(name)
        assert decoder.feed(b"abc") == b""
        assert decoder.problem == "unknown content coding"


def test_a_bomb_stops_at_the_limit() -> None:
    decoder = Decoder("gzip", limit=1000)
    assert decoder.feed(gzipped(bytes(50_000_000))) == bytes(1000)
    assert decoder.problem == "more than 1000 decoded bytes"
    assert decoder.feed(b"x") == b""


def test_many_tiny_members_stay_linear() -> None:
    decoder = Decoder("gzip")
    assert decoder.feed(gzipped(b"") * 20_000) == b""
    assert decoder.finish() == ""


def test_exactly_the_limit_is_whole() -> None:
    decoder = Decoder("gzip", limit=1000)
    assert decoder.feed(gzipped(bytes(1000))) == bytes(1000)
    assert decoder.finish() == ""


def test_bytes_that_are_not_what_they_say_are_a_problem() -> None:
    decoder = Decoder("gzip")
    decoder.feed(b"plain text, no gzip")
    assert decoder.problem == "not gzip"


def test_a_body_that_ends_early_is_a_problem() -> None:
    for coding, data in (("gzip", gzipped(b"abc" * 99)), ("deflate", b"x")):
        decoder = Decoder(coding)
        decoder.feed(data[: len(data) // 2 + 1])
        assert decoder.finish() == f"{coding} body ends early"


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=300), cuts(300))
def test_any_bytes_end_in_output_or_a_problem(coding: str, data: bytes, at: list[int]) -> None:
    whole, cut = Decoder(coding, limit=5000), Decoder(coding, limit=5000)
    assert decoded(whole, data, []) == decoded(cut, data, at)
    assert whole.finish() == cut.finish()
