import http.client
import io
import json

import hpack
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, WindowUpdated
from h2.exceptions import ProtocolError
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, WindowUpdateFrame

from chaperone.proto.refusals import MESSAGE_LIMIT, POISON, TOKEN, Refusal, frame, made

MESSAGE = 'denied by policy "no-exec": exec into "db" — é'
FIELDS = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/api/v1/pods"), (b":authority", b"k"), (b"x-new", b"value")]


class _Answer(io.BytesIO):
    """What http.client takes for a socket."""

    def makefile(self, *_: object) -> io.BytesIO:
        return self


def _frames(data: bytes) -> list[Frame]:
    found = []
    while data:
        parsed, size = Frame.parse_frame_header(memoryview(data[:9]))
        parsed.parse_body(memoryview(data[9 : 9 + size]))
        found.append(parsed)
        data = data[9 + size :]
    return found


def _header_frames(block: bytes, pieces: int, flags: int = 1) -> bytes:
    """One block in so many frames, as a client sends it; flag 1: END_STREAM."""
    cut = max(1, len(block) // pieces)
    parts = [block[at * cut : (at + 1) * cut if at + 1 < pieces else None] for at in range(pieces)]
    return b"".join(frame(9 if at else 1, (0 if at else flags) | (4 if at + 1 == pieces else 0), 5, part) for at, part in enumerate(parts))


def _client() -> H2Connection:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, [(name.decode(), value.decode()) for name, value in FIELDS])
    client.receive_data(frame(4, 0, 0, b""))
    return client


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_malformed_block_is_the_clients_own_and_one_field_that_no_server_accepts(pieces: int) -> None:
    block = hpack.Encoder().encode(FIELDS)
    frames = _frames(made("http2-malformed", _header_frames(block, pieces), Refusal("id-1")))
    assert isinstance(frames[0], HeadersFrame) and all(isinstance(each, ContinuationFrame) for each in frames[1:])
    assert [("END_HEADERS" in each.flags) for each in frames] == [False] * pieces + [True]
    assert "END_STREAM" in frames[0].flags and {each.stream_id for each in frames} == {5}
    decoder = hpack.Decoder()
    assert decoder.decode(b"".join(each.data for each in frames), raw=True) == [*FIELDS, (b"X", b"x")]


def test_the_servers_table_is_in_step_behind_a_malformed_block() -> None:
    """What follows may be nothing but references into the table."""
    encoder, decoder = hpack.Encoder(), hpack.Decoder()
    refused = made("http2-malformed", _header_frames(encoder.encode(FIELDS), 2), Refusal("id-1"))
    decoder.decode(b"".join(each.data for each in _frames(refused)), raw=True)
    again = encoder.encode(FIELDS)
    assert len(again) == len(FIELDS), "the next block refers to the table"
    assert decoder.decode(again, raw=True) == FIELDS
    assert list(decoder.header_table.dynamic_entries) == list(encoder.header_table.dynamic_entries)


def test_a_server_refuses_the_malformed_block() -> None:
    """h2 takes the upper-case name for an error, as RFC 9113 §8.2.1 asks; without it the request is accepted."""
    block = hpack.Encoder().encode(FIELDS)
    for kept, is_refused in ((_header_frames(block, 1), False), (made("http2-malformed", _header_frames(block, 1), Refusal("i")), True)):
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
        server.receive_data(opening)
        assert _refuses(server, kept) is is_refused


def _refuses(server: H2Connection, data: bytes) -> bool:
    try:
        server.receive_data(data)
    except ProtocolError as error:
        return "uppercase" in str(error)
    return False


@pytest.mark.parametrize("kept", [b"", b"\x00", frame(0, 1, 5, b"x"), frame(1, 1, 5, b"x"), frame(1, 5, 5, b"x")[:-1]])
def test_what_is_no_whole_header_block_is_not_made_malformed(kept: bytes) -> None:
    with pytest.raises(ValueError):
        made("http2-malformed", kept, Refusal("id-1"))


def test_an_http2_answer_is_a_status_and_leaves_the_clients_table_alone() -> None:
    client = _client()
    before = list(client.decoder.header_table.dynamic_entries)
    events = client.receive_data(made("http2-forbidden", b"", Refusal("id-1", MESSAGE, h2_stream=1, credit=70_000)))
    [response] = [event for event in events if isinstance(event, ResponseReceived)]
    body = b"".join(event.data for event in events if isinstance(event, DataReceived))
    assert dict(response.headers)[b":status"] == b"403" and int(dict(response.headers)[b"content-length"]) == len(body)
    assert _says_forbidden(body) and any(isinstance(event, StreamEnded) for event in events)
    assert [event.delta for event in events if isinstance(event, WindowUpdated)] == [70_000]
    assert list(client.decoder.header_table.dynamic_entries) == before


def test_an_http2_answer_to_head_has_no_body_and_a_length() -> None:
    frames = _frames(made("http2-forbidden", b"", Refusal("id-1", MESSAGE, h2_stream=5, bodiless=True)))
    assert len(frames) == 1 and "END_STREAM" in frames[0].flags
    full = _frames(made("http2-forbidden", b"", Refusal("id-1", MESSAGE, h2_stream=5)))
    assert [type(each) for each in full] == [HeadersFrame, DataFrame], "no WINDOW_UPDATE without credit"
    assert full[0].data == frames[0].data
    assert WindowUpdateFrame not in {type(each) for each in full}


def test_credit_alone_stands_for_the_answer_to_a_ping() -> None:
    client, server = _client(), H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    client.data_to_send()
    server.receive_data(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + made("http2-ping", b"any", Refusal("credit")))
    assert server.data_to_send().endswith(frame(6, 1, 0, TOKEN))
    [event] = client.receive_data(made("http2-credit", b"any", Refusal("credit", credit=5)))
    assert (event.stream_id, event.delta) == (0, 5)


@pytest.mark.parametrize("bodiless", [False, True])
def test_an_http1_answer_is_parsed_by_a_client(bodiless: bool) -> None:
    raw = made("http1-forbidden", b"HTTP/1.1 200 OK\r\n\r\n", Refusal("id-1", MESSAGE, bodiless=bodiless))
    answer = http.client.HTTPResponse(_Answer(raw + b"HTTP/1.1 200 OK\r\n"), method="HEAD" if bodiless else "GET")  # type: ignore[arg-type]
    answer.begin()
    assert answer.status == 403 and int(answer.headers["Content-Length"]) > 0
    body = answer.read()
    assert body == b"" if bodiless else _says_forbidden(body)


def test_the_harmless_request_changes_nothing_and_says_whose_it_is() -> None:
    raw = made("http1-harmless", b"DELETE / HTTP/1.1\r\n\r\n", Refusal("ab-12"))
    line, _, rest = raw.partition(b"\r\n")
    headers = http.client.parse_headers(io.BytesIO(rest))
    assert line == b"GET /healthz HTTP/1.1" and rest.endswith(b"\r\n\r\n")
    assert headers["User-Agent"] == "chaperone-refusal/ab-12" and headers["Host"]


def test_bytes_as_they_are_need_no_template() -> None:
    assert made("", b"kept", Refusal("")) == b"kept"


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        ("free", Refusal("id-1")),
        ("http1-harmless", Refusal("")),
        ("http1-harmless", Refusal("a\r\nX: y")),
        ("http1-harmless", Refusal("a" * 65)),
        ("http1-harmless", Refusal("id-1\n")),
        ("http1-forbidden", Refusal("id-1", "m" * (MESSAGE_LIMIT + 1))),
        ("http2-forbidden", Refusal("id-1", h2_stream=0)),
        ("http2-forbidden", Refusal("id-1", h2_stream=2)),
        ("http2-forbidden", Refusal("id-1", h2_stream=1 << 31)),
        ("http2-forbidden", Refusal("id-1", h2_stream=1, credit=1 << 31)),
        ("http2-credit", Refusal("id-1")),
        ("http2-credit", Refusal("id-1", credit=1 << 31)),
    ],
)
def test_nothing_but_these_refusals_is_made(template: str, refusal: Refusal) -> None:
    with pytest.raises(ValueError):
        made(template, _header_frames(b"\x82", 1), refusal)


def test_the_poison_is_not_indexed() -> None:
    decoder = hpack.Decoder()
    decoder.decode(POISON, raw=True)
    assert not decoder.header_table.dynamic_entries


def _says_forbidden(body: bytes) -> bool:
    said = json.loads(body)
    return said["kind"] == "Status" and said["code"] == 403 and said["reason"] == "Forbidden" and said["message"] == MESSAGE


@pytest.mark.parametrize(
    ("template", "kept", "ends"),
    [
        ("http1-harmless", b"DELETE / HTTP/1.1\r\nconnection: keep-alive, Close\r\n\r\n", True),
        ("http1-harmless", b"DELETE / HTTP/1.0\r\nHost: x\r\n\r\n", True),
        ("http1-harmless", b"POST / HTTP/1.1\r\nX: y\r\n\r\nConnection: close\r\n", False),
        ("http1-harmless", b"POST / HTTP/1.1\r\nX-Connection: close\r\n\r\n", False),
        ("http1-forbidden", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", True),
        ("http1-forbidden", b"HTTP/1.1 200 OK\r\n\r\nok", False),
    ],
)
def test_a_connection_ends_where_it_would_have(template: str, kept: bytes, ends: bool) -> None:
    head, _, _ = made(template, kept, Refusal("id-1", MESSAGE)).partition(b"\r\n\r\n")
    assert (b"\r\nConnection: close" in head) == ends
