"""What stands in a secret's place: in one piece or several the same, and base64 of stars."""

import base64
import itertools

from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire.compose.spans import Fill, Span, templates
from chaperone.proto.refusals import Refusal, made


@given(value=st.binary(min_size=1, max_size=40), cuts=st.lists(st.integers(0, 60), max_size=4), at=st.integers(0, 9))
def test_base64_in_pieces_is_base64_of_stars(value: bytes, cuts: list[int], at: int) -> None:
    raw = base64.b64encode(value)
    span = Span(at, at + len(raw), Fill.BASE64, raw.count(b"="))
    ends = sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})
    pieces = [piece for begin, end in itertools.pairwise(ends) for piece in templates(span, at + begin, at + end)]
    body = b" " * at + raw
    shown = b"".join(made(template, body[begin:end], Refusal("edited")) for begin, end, template in pieces)
    assert shown == base64.b64encode(b"*" * len(value))


def test_text_is_stars() -> None:
    assert templates(Span(3, 9), 4, 7) == [(4, 7, "stars")]
    assert made("stars", b"abc", Refusal("edited")) == b"***"
