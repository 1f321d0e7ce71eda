"""Secret strings of JSON, however it is cut."""

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.inline.choice import OTHER, SECRET
from chaperone.collector.mask.inline.json_spans import APPLIED, JsonSpans
from chaperone.collector.wire.compose.spans import Fill, Span

DATA = {"user": base64.b64encode(b"admin").decode(), "empty": "", "key": base64.b64encode(b"abc").decode()}
APPLIED_COPY = json.dumps({"data": DATA})
ONE: dict[str, Any] = {
    "kind": "Secret",
    "metadata": {
        "name": 'data":{"x',
        "annotations": {APPLIED: APPLIED_COPY, "data": "not secret"},
        "managedFields": [{"f:data": {"x": "y"}}],
    },
    "data": DATA,
    "stringData": {"a\\b": 'quo"te', "n": None, "deep": ["x", {"y": "zz"}]},
}


def spans(body: bytes, cuts: list[int], fields: Any = SECRET) -> tuple[JsonSpans, list[Span]]:
    scanner, found = JsonSpans(fields), list[Span]()
    at = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(at):
        new = scanner.feed(body[begin:end])
        assert all(span.end <= scanner.settled for span in new) and scanner.settled <= end
        found += new
    return scanner, found + scanner.finish()


def values(body: bytes, cuts: list[int] | None = None, fields: Any = SECRET) -> list[tuple[bytes, Fill]]:
    scanner, found = spans(body, cuts or [], fields)
    assert not scanner.problem and scanner.settled == len(body)
    return [(body[span.begin : span.end], span.fill) for span in found]


EXPECTED = [
    (json.dumps(APPLIED_COPY)[1:-1].encode(), Fill.STARS),
    (DATA["user"].encode(), Fill.BASE64),
    (DATA["key"].encode(), Fill.BASE64),
    (b'quo\\"te', Fill.STARS),
    (b"x", Fill.STARS),
    (b"zz", Fill.STARS),
]


@given(cuts=st.lists(st.integers(0, 2000), max_size=30), indent=st.sampled_from([None, 2]))
@settings(max_examples=100, deadline=None)
def test_a_secrets_values_are_found_wherever_the_body_is_cut(cuts: list[int], indent: int | None) -> None:
    body = json.dumps(ONE, indent=indent).encode()
    assert values(body, cuts) == EXPECTED


def test_lists_and_watch_events_are_looked_through() -> None:
    body = json.dumps({"kind": "SecretList", "items": [ONE, ONE]}).encode()
    assert values(body) == EXPECTED * 2
    events = b"".join(json.dumps({"type": "ADDED", "object": ONE}).encode() + b"\n" for _ in range(3))
    assert values(events, [7, 500, 900]) == EXPECTED * 3


def test_of_other_resources_data_is_text() -> None:
    body = json.dumps({"kind": "ConfigMap", "data": {"a": "b"}, "binaryData": {"c": "YQ=="}}).encode()
    assert values(body, fields=OTHER) == [(b"b", Fill.STARS), (b"YQ==", Fill.BASE64)]


def test_a_token_has_a_name() -> None:
    scanner = JsonSpans({}, ("token",))
    assert [span.fill for span in scanner.feed(b'{"kind":"TokenRequest","status":{"token":"eyJ","expirationTimestamp":"2026"}}')] == [
        Fill.STARS
    ]


@pytest.mark.parametrize("body", [b'{"data":{"a":"no base64!"}}', b'{"data":{"a":"abc"}}', b'{"data":{"a":"YW\\/x"}}', b"]", b"[" * 300])
def test_what_cannot_be_masked_is_a_problem(body: bytes) -> None:
    scanner, _ = spans(body, [])
    assert scanner.problem


def test_a_body_that_ends_too_early_is_one_too() -> None:
    for body in (b'{"data":{"a":"YW', b'{"data":{'):
        scanner, found = spans(body, [])
        assert scanner.problem and not found


def test_a_string_without_an_end_is_not_kept_for_ever() -> None:
    scanner = JsonSpans(SECRET)
    scanner.feed(b'{"a":"')
    for _ in range(4):
        scanner.feed(b"x" * (1 << 20))
    assert scanner.problem
