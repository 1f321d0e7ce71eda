"""Bytes of a channel as a Piece."""

from dataclasses import dataclass

from chaperone.collector.kube.body import read_body
from chaperone.collector.kube.call import Body, Form, Piece
from chaperone.collector.wire.events import Data, Message, StrandData

Carrier = Message | StrandData | Data

ALWAYS_TEXT = ("stdin", "stdout", "stderr", "log")
NO_CHANNEL = "a hole hides which channel this is"


@dataclass(frozen=True, slots=True)
class Content:
    """What one event brought for a channel, coding off. `doubts`: why it may be read differently."""

    event: Carrier
    data: bytes
    doubts: tuple[str, ...] = ()


def piece(channel: str, body: Body, event: Carrier) -> Piece:
    """`body` where and when `event` was."""
    return Piece(channel, event.direction.name.lower(), event.position, event.time, body)


def text(channel: str, content: Content) -> Piece:
    """Bytes of a byte stream as they came. A character may be cut at either end; nothing is decoded here."""
    form = Form.TEXT if channel in ALWAYS_TEXT or _is_text(content.data) else Form.BINARY
    return piece(channel, _body(form, content), content.event)


def document(channel: str, content: Content, kind: str = "") -> Piece:
    """A JSON document; BINARY, with the reason, where it is none."""
    raw = _body(Form.JSON, content, kind)
    return piece(channel, read_body(raw), content.event)


def _body(form: Form, content: Content, kind: str = "") -> Body:
    size, version = len(content.data), "v1" if kind else ""
    return Body(form, "", size, len(content.event.data), True, content.data, None, kind, version, content.doubts)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start > 0 and error.end == len(data) and error.reason == "unexpected end of data"
    return True
