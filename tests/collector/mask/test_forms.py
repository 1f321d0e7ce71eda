import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.mask.forms import LONGEST, forms
from chaperone.collector.mask.worth import WHOLE

VALUES = st.binary(min_size=8, max_size=WHOLE)


def shown(value: bytes, text: bytes) -> bool:
    return any(form in text for form in forms(value, 8))


@given(VALUES, st.binary(max_size=7), st.binary(max_size=7))
def test_base64_and_hex_are_found_inside_anything(value: bytes, before: bytes, behind: bytes) -> None:
    for encode in (b64encode, urlsafe_b64encode):
        assert shown(value, encode(before + value + behind))
    assert shown(value, (before + value + behind).hex().encode())
    assert shown(value, (before + value + behind).hex().upper().encode())
    assert shown(value, before + value + behind)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=24))
def test_urls_and_json_are_found(text: str) -> None:
    value = text.encode()
    for quoted in (quote(text), quote(text, safe=""), quote_plus(text)):
        assert shown(value, quoted.encode())
    assert shown(value, json.dumps(text).encode()) and shown(value, json.dumps(text, ensure_ascii=False).encode())
    go = json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    assert shown(value, go.encode())


def test_lower_case_escapes_are_found() -> None:
    assert shown(b"a/b:c+d=e", b"x=a%2fb%3ac%2bd%3de")


def test_lines_of_a_value_count_where_it_is_raw() -> None:
    assert {b"line one", b"line two"} <= forms(b"line one\r\nline two\0short", 8)


@given(VALUES)
def test_no_form_is_longer_than_said(value: bytes) -> None:
    assert max(map(len, forms(value, 8))) <= LONGEST
