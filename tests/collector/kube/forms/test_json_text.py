import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.forms.json_text import DEPTH_LIMIT, INVALID_UTF8, LONE_SURROGATE, REPEATED_KEY, parse_json
from chaperone.collector.kube.forms.parsed import UnreadableError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_a_document_without_repeats_has_no_doubts(value: object, spaced: bool) -> None:
    text = json.dumps(value, ensure_ascii=spaced, indent=1 if spaced else None)
    parsed = parse_json(text.encode("utf-8", "surrogatepass"))
    assert parsed.value == value
    assert parsed.doubts == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a": 1, "b" :3, "a"\n: 2}',
        '[{"x":{"a":1,"\\u0061":2}}]',
        '{"a":1,"a":1,"b\\u0022":"c\\u0022"}',
        '{"data":{"k":"x"},"data":{"k":"\\u0022\\u0022"}}',
    ],
)
def test_a_repeated_key_is_said_and_the_last_counts(text: str) -> None:
    parsed = parse_json(text.encode())
    assert parsed.doubts == (REPEATED_KEY,)
    assert parsed.value == json.loads(text)


def test_quotes_inside_strings_are_no_repeats() -> None:
    text = json.dumps({"note": json.dumps({"a": 1, "b": "\"'\\"})}).replace('\\"a', "\\u0022a")
    assert parse_json(text.encode()).doubts == ()


def test_what_go_repairs_is_repaired_and_said() -> None:
    assert parse_json(b'{"a":"x\xffy"}') == parse_json(b'{"a":"x\xffy"}')
    assert parse_json(b'{"a":"x\xffy"}').value == {"a": "x\ufffdy"}
    assert parse_json(b'{"a":"x\xffy"}').doubts == (INVALID_UTF8,)
    assert parse_json(b'{"a":"\\ud800 \\ud83d\\ude00 \\\\ud800"}').value == {"a": "\ufffd \U0001f600 \\ud800"}
    assert parse_json(b'{"a":"\\udfff"}').doubts == (LONE_SURROGATE,)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"{bad json", b"[1,]", b"NaN", b'{"a":NaN}', b"Infinity", b"01", b"'a'", b"\xef\xbb\xbf{}", b"\xff"]
)
def test_what_is_no_json_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableError, match="not JSON"):
        parse_json(text)


def test_bytes_behind_the_value_are_unreadable() -> None:
    with pytest.raises(UnreadableError, match="behind the JSON value"):
        parse_json(b'{"a":1} {"b":2}')


@pytest.mark.parametrize("unit", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [DEPTH_LIMIT + 1, 100_000])
def test_depth_is_limited(unit: bytes, depth: int) -> None:
    close = b"]" if unit == b"[" else b"}"
    with pytest.raises(UnreadableError, match=f"deeper than {DEPTH_LIMIT}"):
        parse_json(unit * depth + b"1" + close * depth)
    assert parse_json(unit * 200 + b"1" + close * 200).doubts == ()


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0dDaN1 e', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    try:
        parse_json(data)
    except UnreadableError:
        return
