"""Secret bytes of protobuf bodies as an apiserver sends them."""

import base64
import json
from pathlib import Path

import pytest

from chaperone.collector.mask.inline.json_spans import APPLIED
from chaperone.collector.mask.inline.protobuf_spans import body_spans, event_spans

ANSWERS = Path(__file__).parents[4] / "deploy/demo/answers"
RECORDED = (ANSWERS / "default.secrets.db-cred.protobuf.bin").read_bytes()


def field(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def entry(key: str, value: bytes) -> bytes:
    return field(1, key.encode()) + field(2, value)


def envelope(kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, b"v1") + field(2, kind.encode())) + field(2, raw) + field(3, b"") + field(4, b"")


SECRET = field(1, field(1, b"name") + field(12, entry(APPLIED, b"{copy}")) + field(12, entry("x", b"y")))
SECRET += field(2, entry("a", b"one")) + field(2, entry("empty", b"")) + field(3, b"Opaque") + field(4, entry("b", b"two")) + b"\x28\x01"


def found(data: bytes) -> list[bytes]:
    return [data[span.begin : span.end] for span in body_spans(data)]


def test_a_recorded_secrets_values_are_found() -> None:
    data = json.loads((ANSWERS / "default.secrets.db-cred.json").read_text())["data"]
    assert sorted(found(RECORDED)) == sorted(map(base64.b64decode, data.values()))


def test_every_place_of_a_secret_is_known() -> None:
    assert found(envelope("Secret", SECRET)) == [b"{copy}", b"one", b"two"]
    assert found(envelope("SecretList", field(1, b"") + field(2, SECRET) + field(2, SECRET))) == [b"{copy}", b"one", b"two"] * 2
    assert found(envelope("Status", field(1, b""))) == []


def test_an_event_of_a_watch_has_an_object() -> None:
    data = field(1, b"ADDED") + field(2, field(1, envelope("Secret", SECRET)))
    assert [data[span.begin : span.end] for span in event_spans(data)] == [b"{copy}", b"one", b"two"]


@pytest.mark.parametrize("data", [b"no magic", envelope("Widget", b""), RECORDED[:-20], b"k8s\x00\x0b", b"k8s\x00" + b"\xff" * 12])
def test_what_is_not_known_is_a_problem(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        body_spans(data)
