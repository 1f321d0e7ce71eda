"""Bytes of a channel as a Piece."""

import pytest
from support.channel_events import OUT, message

from chaperone.collector.kube.call import Form
from chaperone.collector.kube.upgrade.pieces import Content, document, text


@pytest.mark.parametrize(
    ("channel", "data", "form"),
    [
        ("stdout", b"\xff\xfe", Form.TEXT),
        ("log", b"\x00\xff", Form.TEXT),
        ("port/80/0", b"GET / HTTP/1.1", Form.TEXT),
        ("port/80/0", "ü".encode()[:1], Form.BINARY),
        ("port/80/0", b"text cut in a charact\xc3", Form.TEXT),
        ("port/80/0", b"\x16\x03\x01\xff", Form.BINARY),
        ("data", b"\xff\x00", Form.BINARY),
    ],
)
def test_the_form_is_text_for_streams_of_text_and_what_can_be_read_as_such(channel: str, data: bytes, form: Form) -> None:
    assert text(channel, Content(message(data), data)).body.form is form


def test_a_piece_is_where_and_when_its_event_was_and_keeps_every_byte() -> None:
    piece = text("stdin", Content(message(b"\x00\xc3", OUT), b"\xc3"))
    assert (piece.channel, piece.direction, piece.position, piece.time) == ("stdin", "out", 10, 5)
    assert (piece.body.data, piece.body.size, piece.body.wire_size) == (b"\xc3", 1, 2)


def test_a_document_is_parsed_and_its_kind_said_where_it_does_not() -> None:
    body = document("error", Content(message(b""), b'{"status":"Success"}'), "Status").body
    assert (body.form, body.kind, body.object) == (Form.JSON, "Status", {"status": "Success"})


def test_a_document_that_is_none_is_binary_and_keeps_its_doubts() -> None:
    body = document("resize", Content(message(b""), b"{", ("before",))).body
    assert body.form is Form.BINARY
    assert body.ambiguous[0] == "before"
    assert len(body.ambiguous) == 2
