import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.masking import PROTOBUF, enveloped, field, make_body

from chaperone.collector.kube.call import Body, Form
from chaperone.collector.mask.body import Bodies
from chaperone.collector.mask.fingerprint import Fingerprint, is_masked
from chaperone.collector.mask.masked import MaskedBody
from chaperone.collector.mask.text import Texts

FINGERPRINT = Fingerprint(b"k" * 32)
BODIES = Bodies(Texts(FINGERPRINT), FINGERPRINT)
SECRET = {"kind": "Secret", "metadata": {"name": "web"}, "stringData": {"b": "Zq7xWv3pLm9k"}}


def masked(data: bytes | object, media_type: str = "application/json", secret: bool = False) -> MaskedBody:
    return BODIES.mask(make_body(data, media_type), secret)


def test_json_keeps_its_layout_and_its_last_newline() -> None:
    pretty = json.dumps(SECRET, indent=2).encode() + b"\n"
    assert masked(pretty).data == pretty.replace(b"Zq7xWv3pLm9k", FINGERPRINT.mask(b"Zq7xWv3pLm9k"))
    compact = json.dumps(SECRET, separators=(",", ":")).encode()
    assert masked(compact).data == compact.replace(b"Zq7xWv3pLm9k", FINGERPRINT.mask(b"Zq7xWv3pLm9k"))


def test_yaml_stays_yaml() -> None:
    text = b"kind: Secret\nstringData:\n  b: Zq7xWv3pLm9k\n"
    assert masked(text, "application/yaml").data == text.replace(b"Zq7xWv3pLm9k", FINGERPRINT.mask(b"Zq7xWv3pLm9k"))


def test_a_protobuf_body_is_shown_as_json() -> None:
    message = field(1, field(1, "web")) + field(2, field(1, "user") + field(2, "Zq7xWv3pLm9k")) + field(3, "Opaque")
    shown = masked(enveloped("Secret", message), PROTOBUF)
    assert json.loads(shown.data) == {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "web"},
        "data": {"user": FINGERPRINT.mask_text("Zq7xWv3pLm9k")},
        "type": "Opaque",
    }
    assert shown.media_type == PROTOBUF
    assert shown.size == len(enveloped("Secret", message))


@pytest.mark.parametrize(
    ("data", "media_type", "secret"),
    [
        (enveloped("Strange", field(1, "x")), PROTOBUF, False),
        (b"\x00\x01\x02", "application/octet-stream", False),
        (b'{"a":1,"a":2}', "application/json", False),
        (b"not json", "application/json", False),
        (b"not json", "application/json", True),
    ],
)
def test_what_cannot_be_understood_is_replaced_as_a_whole(data: bytes, media_type: str, secret: bool) -> None:
    shown = masked(data, media_type, secret)
    assert is_masked(json.loads(shown.data).encode())
    assert json.loads(shown.data).startswith(f"~masked-{len(data)}-")
    assert shown.masked == 1


def cut_off(data: bytes) -> Body:
    return Body(Form.JSON, "application/json", len(data), len(data), False, data)


def test_json_that_was_cut_off_is_read_as_text() -> None:
    shown = BODIES.mask(cut_off(b'{"user":"bob","password":"Zq7xWv3pLm9k","x'), False)
    assert shown.data == b'{"user":"bob","password":"%s","x' % FINGERPRINT.mask(b"Zq7xWv3pLm9k")


def test_json_that_was_cut_off_and_hides_letters_in_escapes_is_replaced_as_a_whole() -> None:
    assert is_masked(json.loads(BODIES.mask(cut_off(b'{"p\\u0061ssword":"Zq7xWv3pLm9k","x'), False).data).encode())
    assert not is_masked(BODIES.mask(cut_off(b'{"a":"\\u003cb\\u003e","x'), False).data)


def test_json_that_was_cut_off_under_secrets_is_replaced_as_a_whole() -> None:
    assert b"name" not in BODIES.mask(cut_off(b'{"metadata":{"name":"x"},"da'), True).data


def test_an_object_deeper_than_is_looked_at_is_replaced_as_a_whole() -> None:
    deep: Any = {"password": "Zq7xWv3pLm9k"}
    for _ in range(600):
        deep = [deep]
    body = Body(Form.JSON, "application/json", 9, 9, True, b'{"kind":"Secret"}', deep)
    assert is_masked(json.loads(BODIES.mask(body, True).data).encode())


@pytest.mark.parametrize("depth", [50, 120, 200, 250])
def test_no_depth_lets_a_secret_through(depth: int) -> None:
    deep: Any = {"password": "Zq7xWv3pLm9k"}
    for _ in range(depth):
        deep = {"a": [deep]} if depth < 120 else {"a": deep}
    assert b"Zq7x" not in masked(json.dumps(deep).encode()).data


def test_what_was_not_kept_stays_empty() -> None:
    assert BODIES.mask(Body(Form.BINARY, "image/png", 10, 10, True), False).data == b""
    assert BODIES.mask(Body(Form.JSON, "application/json", 0, 0, True), False).data == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("data") | st.just("kind"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.booleans())
@settings(max_examples=200, deadline=None)
def test_masked_json_is_json_with_the_same_keys_at_the_top(value: Any, secret: bool) -> None:
    shown = masked(json.dumps(value).encode(), secret=secret)
    again = json.loads(shown.data)
    if isinstance(value, dict) and isinstance(again, dict) and shown.masked == 0:
        assert list(again) == list(value)
