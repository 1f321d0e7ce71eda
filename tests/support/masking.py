"""Calls to mask, and the search for a secret in what came out."""

import base64
import dataclasses
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any
from urllib.parse import quote

from chaperone.collector.kube.body import form_of, read_body, read_event
from chaperone.collector.kube.call import Body, Call, Form, Piece, RequestInfo, User, UserSource
from chaperone.collector.wire.exchange import Phase

PROTOBUF = "application/vnd.kubernetes.protobuf"

_CALL = Call(
    position=0,
    phase=Phase.END,
    at=900,
    started=1,
    requested=2,
    answered=3,
    ended=4,
    protocol="h2",
    method="GET",
    request_uri="/api/v1/namespaces/default/pods/web",
    authority="10.0.0.1:443",
    info=RequestInfo("get", True, "", "v1", "pods", "", "default", "web"),
    user=User("system:serviceaccount:default:agent", UserSource.CLAIMED),
    user_agent="kubectl/v1.37.1 (linux/amd64) kubernetes/0000000",
    request_headers=(("accept", "application/json"),),
    request_body=None,
    code=200,
    response_headers=(("content-type", "application/json"),),
    response_body=None,
    audit_id="38bd2035-99c7-41fa-88ae-73b703b26edd",
    bytes_out=100,
    bytes_in=800,
    complete=True,
)


def make_call(**fields: Any) -> Call:
    return dataclasses.replace(_CALL, **fields)


def on(resource: str, subresource: str = "") -> RequestInfo:
    return RequestInfo("get", True, "", "v1", resource, subresource, "default", "web")


def make_body(data: bytes | object, media_type: str = "application/json") -> Body:
    """As kube reads it."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    form, _ = form_of(media_type)
    body = Body(form, media_type, len(raw), len(raw), True, raw)
    return body if form is Form.BINARY else read_body(body)


def make_event(data: bytes | object, media_type: str = "application/json") -> Piece:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Piece("event", "in", 0, 5, read_event(form_of(media_type)[0], media_type, raw))


def make_piece(data: bytes, channel: str = "stdout", position: int = 0) -> Piece:
    direction = "out" if channel == "stdin" else "in"
    return Piece(channel, direction, position, position, Body(form_of("text/plain")[0], "", len(data), len(data), True, data))


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def enveloped(kind: str, message: bytes, api_version: str = "v1") -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, message) + field(3, "") + field(4, "")


def leaves(value: Any) -> Iterator[bytes]:
    """Every text and byte string in a value, however deep."""
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, str) and not isinstance(value, Enum):
        yield value.encode("utf-8", "surrogatepass")
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from leaves(getattr(value, each.name))
    elif isinstance(value, dict):
        yield from leaves(list(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


def encodings(secret: bytes) -> set[bytes]:
    """The secret raw, in base64 of each alignment, hex, as a URL and as JSON escapes."""
    found = {
        secret,
        quote(secret, safe="").encode(),
        json.dumps(secret.decode())[1:-1].encode(),
        secret.hex().encode(),
        secret.hex().upper().encode(),
    }
    found.add(b"".join(b"%%%02X" % byte for byte in secret))
    found.add(b"".join(b"\\u%04x" % byte for byte in secret))
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        inner = encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def survivors(masked: Any, secret: bytes) -> list[bytes]:
    """The leaves in which the secret still is, in any encoding."""
    wanted = encodings(secret)
    return [leaf for leaf in leaves(masked) if any(form in leaf for form in wanted)]
