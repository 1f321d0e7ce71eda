"""HTTP/2 as each section of RFC 9113 has it, and whatever else may come: as long as the reader's list of cases."""

import struct
from collections.abc import Iterable

import hpack
import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import Piece, assert_chunking_invariant, cuts, every_byte, interleavings, joined, of, read
from support.h2_peers import GET, OK, POST, Peers

from chaperone.collector.wire.events import (
    Ambiguous,
    Data,
    End,
    Event,
    Lost,
    Request,
    Reset,
    Response,
    Resumed,
    Trailers,
    Unreadable,
)
from chaperone.collector.wire.http2 import BLOCK_LIMIT, PREFACE, STREAM_LIMIT, Http2Reader
from chaperone.collector.wire.intake import SKEW_LIMIT
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HBBBL", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


def block(fields: list[tuple[str, str]], encoder: hpack.Encoder | None = None) -> bytes:
    return (encoder or hpack.Encoder()).encode(fields)


def check(pieces: list[Piece]) -> list[Event]:
    """The events; the same byte by byte."""
    whole = read(Http2Reader(), pieces)
    assert read(Http2Reader(), every_byte(pieces)) == whole
    return whole


def brief(events: Iterable[Event]) -> list[str]:
    """Events in a word each, with what matters most."""
    return [_word(event) for event in events]


def _word(event: Event) -> str:
    name = type(event).__name__.lower()
    where = getattr(event, "direction", None)
    detail: object = ""
    if isinstance(event, Response):
        detail = event.status
    elif isinstance(event, Request):
        detail = f"{event.method} {event.target}"
    elif isinstance(event, Data):
        detail = bytes(event.data[:20]).decode()
    elif isinstance(event, End):
        detail = "" if event.complete else "cut"
    elif isinstance(event, Ambiguous | Unreadable):
        detail = event.reason
    elif isinstance(event, Lost):
        detail = event.size
    elif isinstance(event, Reset):
        detail = event.code
    return " ".join(str(part) for part in (name, where.name.lower() if where is not None else "", detail) if part != "")


def test_an_exchange_has_exact_positions_and_sizes() -> None:
    fields = block(GET)
    start = PREFACE + frame(4, 0, 0)
    out = start + frame(1, 0x4, 1, fields) + frame(0, 0x1, 1, b"abc")
    back = frame(4, 0, 0) + frame(1, 0x4, 1, block(OK)) + frame(0, 0, 1, b"{}") + frame(0, 0x1, 1)
    key, head, answer = len(start), 9 + len(fields), 9 + len(block(OK))
    assert check([(OUT, out), (IN, back)]) == [
        Request(key, 1, "h2", "GET", "/api", "x", (), head),
        Data(key, OUT, key + head + 9, 1, b"abc", 12),
        End(key, OUT, len(out), 1),
        Response(key, 9, 1, 200, (("content-type", "application/json"),), answer),
        Data(key, IN, 9 + answer + 9, 1, b"{}", 11),
        End(key, IN, len(back), 1, True, 9),
    ]


def test_a_peers_padding_priority_informational_answers_and_trailers_are_read() -> None:
    peers = Peers()
    peers.ask(1, POST, ends=False, priority_weight=16, priority_depends_on=0, priority_exclusive=True)
    peers.client.send_data(1, b"abc", pad_length=7)
    peers.client.send_data(1, b"def", pad_length=0)
    peers.client.send_headers(1, [("x-trailer", "1")], end_stream=True)
    peers.client.ping(b"12345678")
    peers.client.prioritize(1, weight=3)
    peers.pump()
    peers.server.send_headers(1, [(":status", "103"), ("link", "x")])
    peers.server.send_headers(1, OK)
    peers.server.send_data(1, b"{}", pad_length=255)
    peers.server.send_headers(1, [("grpc-status", "0")], end_stream=True)
    peers.pump()
    events = check(peers.pieces)
    assert brief(of(events, OUT)) == ["request POST /api", "data out abcdef", "trailers out", "end out"]
    assert brief(of(events, IN)) == ["response 103", "response 200", "data in {}", "trailers in", "end in"]
    sizes = [sum(getattr(event, "size", 0) for event in of(events, direction)) for direction in Direction]
    assert sizes == [_frames_of(whole, direction) for whole, direction in zip(peers.both(), Direction, strict=True)]


def _frames_of(data: bytes, direction: Direction) -> int:
    """Bytes of HEADERS, DATA, RST_STREAM and CONTINUATION frames."""
    at, size = len(PREFACE) if direction == OUT else 0, 0
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 3], "big"), data[at + 3]
        size += 9 + length if kind in (0, 1, 3, 9) else 0
        at += 9 + length
    return size


def test_a_megabyte_of_fields_in_continuations_is_read() -> None:
    peers = Peers()
    peers.ask(1, [*GET, ("authorization", "t" * 30_000), ("x", "y" * 20_000)])
    events = read(Http2Reader(), peers.pieces)
    assert [len(value or "") for event in events if isinstance(event, Request) for _, value in event.headers] == [30_000, 20_000]
    token = hpack.Encoder().encode([*GET, ("authorization", "t" * 1024 * 1024)], huffman=False)
    parts = [token[at : at + 262_144] for at in range(0, len(token), 262_144)]
    raw = PREFACE + frame(1, 1, 1, parts[0]) + b"".join(frame(9, 0, 1, part) for part in parts[1:]) + frame(9, 4, 1)
    (request, _) = of(read(Http2Reader(), [(OUT, raw)]), OUT)
    assert isinstance(request, Request)
    assert request.headers == (("authorization", "t" * 1024 * 1024),)


def test_header_blocks_over_the_limit_are_unreadable() -> None:
    endless = PREFACE + frame(1, 1, 1, block(GET)) + frame(9, 0, 1, b"x" * 262_144) * (BLOCK_LIMIT // 262_144 + 1)
    assert brief(read(Http2Reader(), [(OUT, endless)])) == [f"unreadable out a header block over {BLOCK_LIMIT} bytes"]
    ten = hpack.Encoder().encode([("x", "y" * 10 * 1024 * 1024)], huffman=False)
    assert brief(read(Http2Reader(), [(OUT, PREFACE + frame(1, 5, 1, ten))])) == [f"unreadable out a header block over {BLOCK_LIMIT} bytes"]


def test_empty_continuations_without_end_cost_no_memory() -> None:
    reader = Http2Reader()
    reader.feed(OUT, 0, PREFACE + frame(1, 1, 1, block(GET)), 1)
    flood = frame(9, 0, 1) * 10_000
    position = len(PREFACE) + 9 + len(block(GET))
    for turn in range(5):
        assert reader.feed(OUT, position + turn * len(flood), flood, 1) == []
    assert reader._sides[OUT].intake.held == 0


def test_a_large_frame_is_passed_on_as_it_comes_and_uncopied() -> None:
    reader = Http2Reader()
    head = PREFACE + frame(1, 4, 1, block(POST)) + frame(0, 1, 1, b"x" * 262_144)[:9]
    reader.feed(OUT, 0, head, 1)
    for turn in range(4):
        chunk = bytes([turn]) * 65_536
        event, *_ = reader.feed(OUT, len(head) + turn * 65_536, chunk, turn)
        assert isinstance(event, Data)
        assert isinstance(event.data, memoryview)
        assert event.data.obj is chunk


def test_goaway_before_the_answer_and_unknown_frames_are_passed_over() -> None:
    goaway = frame(7, 0, 0, struct.pack(">LL", 1, 0) + b"text")
    unknown = frame(0x2A, 0xFF, 1, b"x" * 500) + frame(8, 0, 1, b"\0\0\0\1") + frame(4, 0, 0, b"\0\3\0\0\0\1") + frame(4, 1, 0)
    out = PREFACE + unknown + frame(1, 5, 1, block(GET)) + frame(2, 0, 1, b"\0\0\0\0\1")
    back = goaway + unknown + frame(1, 4, 1, block(OK)) + goaway + frame(0, 1, 1, b"{}")
    assert brief(check([(OUT, out), (IN, back)])) == ["request GET /api", "end out", "response 200", "data in {}", "end in"]


def test_a_promised_push_keeps_the_header_table_in_step() -> None:
    encoder = hpack.Encoder()
    promise = frame(5, 4, 1, struct.pack(">L", 2) + block([*GET, ("x-a", "1")], encoder))
    pushed = frame(1, 4, 2, block(OK, encoder)) + frame(0, 1, 2, b"pushed")
    back = promise + pushed + frame(1, 5, 1, block([*OK, ("x-a", "1")], encoder))
    events = check([(OUT, PREFACE + frame(1, 5, 1, block(GET))), (IN, back)])
    assert brief(events) == ["request GET /api", "end out", "response 200", "end in"]
    assert ("x-a", "1") in next(event.headers for event in events if isinstance(event, Response))


def test_many_h2_streams_at_once_are_kept_apart() -> None:
    peers = Peers()
    numbers = range(1, 101, 2)
    for number in numbers:
        peers.ask(number, [*GET[:3], (":path", f"/{number}")])
    for number in reversed(numbers):
        peers.answer(number, f"body {number}".encode())
    events = read(Http2Reader(), peers.pieces)
    keys = {event.exchange: event.target for event in events if isinstance(event, Request)}
    bodies = {keys[event.exchange]: bytes(event.data) for event in events if isinstance(event, Data)}
    assert bodies == {f"/{number}": f"body {number}".encode() for number in numbers}
    assert Http2Reader().mark() is not None


def test_a_clients_cancel_comes_behind_what_was_sent_before_it() -> None:
    encoder = hpack.Encoder()
    reader = Http2Reader()
    events = reader.feed(OUT, 0, PREFACE + frame(1, 5, 1, block(GET)), 1)
    cancel = frame(3, 0, 1, struct.pack(">L", 8))
    events += reader.feed(OUT, len(PREFACE) + 9 + len(block(GET)), cancel, 50)
    before = frame(1, 4, 1, block(OK, encoder)) + frame(0, 0, 1, b"event")
    events += reader.feed(IN, 0, before, 40)
    after = frame(0, 0, 1, b"late") + frame(1, 4, 1, block(OK, encoder))
    events += reader.feed(IN, len(before), after, 60)
    assert brief(events) == ["request GET /api", "end out", "response 200", "data in event", "reset out 8"]
    assert events[-1].time == 50
    assert reader._streams == {}


def test_a_servers_reset_behind_its_answer_lets_the_request_end() -> None:
    out = PREFACE + frame(1, 4, 1, block(POST))
    back = frame(1, 5, 1, block(OK)) + frame(3, 0, 1, struct.pack(">L", 0))
    events = check([(OUT, out), (IN, back), (OUT, frame(0, 1, 1, b"rest"))])
    assert brief(events) == ["request POST /api", "response 200", "end in", "data out rest", "end out"] or brief(events)[-1] == "reset in 0"


def test_what_is_open_at_the_close_is_cut() -> None:
    events = check([(OUT, PREFACE + frame(1, 4, 1, block(POST)) + frame(0, 0, 1, b"ab")), (IN, frame(1, 4, 1, block(OK)))])
    assert brief(events) == ["request POST /api", "data out ab", "response 200", "end out cut", "end in cut"]


@pytest.mark.parametrize(("length", "complete"), [("5", True), ("6", False), (None, False)])
def test_a_body_with_its_whole_length_lacks_no_end(length: str | None, complete: bool) -> None:
    fields = [(":status", "200"), *([("content-length", length)] if length else [])]
    answer = frame(4, 0, 0) + frame(1, 4, 1, block(fields)) + frame(0, 0, 1, b"whole")
    events = check([(OUT, PREFACE + frame(1, 5, 1, block(GET))), (IN, answer)])
    (end,) = [event for event in events if isinstance(event, End) and event.direction is IN]
    assert end.complete is complete


@pytest.mark.parametrize(
    ("fields", "doubt"),
    [
        ([*GET, (":path", "/b")], "a pseudo-field twice or behind other fields"),
        ([*GET, ("transfer-encoding", "chunked")], "a field that HTTP/2 does not allow"),
        ([*GET, ("host", "other")], "Host and :authority differ"),
        ([(":method", "GET")], "a request without method or path"),
    ],
)
def test_ambiguity_is_said(fields: list[tuple[str, str]], doubt: str) -> None:
    assert f"ambiguous out {doubt}" in brief(check([(OUT, PREFACE + frame(1, 5, 1, block(fields)))]))


def test_a_body_of_another_size_than_declared_is_ambiguous() -> None:
    out = PREFACE + frame(1, 4, 1, block([*POST, ("content-length", "5")])) + frame(0, 1, 1, b"abc")
    assert "ambiguous out a body of another size than its Content-Length" in brief(check([(OUT, out)]))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (frame(1, 1, 1, block(GET)) + frame(0, 0, 1), "a header block is interrupted"),
        (frame(9, 4, 1), "CONTINUATION without HEADERS"),
        (frame(0, 8, 1, b"\x09short"), "more padding than payload"),
        (frame(0, 0, 0, b"x"), "frame header: InvalidDataError"),
        (frame(3, 0, 1, b"x"), "RstStreamFrame: InvalidFrameError"),
        (frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"), "header block: HPACKDecodingError"),
    ],
)
def test_what_is_no_http2_ends_one_direction_with_its_reason(raw: bytes, reason: str) -> None:
    good = frame(1, 4, 3, block(POST))
    events = check([(OUT, PREFACE + good + raw), (IN, frame(1, 4, 3, block(OK)) + frame(0, 1, 3, b"{}"))])
    assert f"unreadable out {reason}" in brief(events)
    assert brief(of(events, IN)) == ["response 200", "data in {}", "end in"]


def test_a_broken_server_side_leaves_requests_readable() -> None:
    events = check([(IN, frame(9, 4, 1)), (OUT, PREFACE + frame(1, 5, 1, block(GET)))])
    assert brief(events) == ["unreadable in CONTINUATION without HEADERS", "request GET /api", "end in cut", "end out"]


def test_answers_wait_for_requests_up_to_the_limit() -> None:
    back = frame(1, 4, 1, block(OK)) + frame(0, 1, 1, b"{}")
    events = read(Http2Reader(), [(IN, back), (OUT, PREFACE + frame(1, 5, 1, block(GET)))])
    assert brief(events) == ["request GET /api", "response 200", "data in {}", "end in", "end out"]
    flood = frame(0, 0, 1, b"x" * 100_000) * (SKEW_LIMIT // 100_000 + 2)
    events = read(Http2Reader(), [(IN, frame(1, 4, 1, block(OK)) + flood), (OUT, PREFACE + frame(1, 5, 1, block(GET)))])
    assert brief(events) == ["unreadable in an answer to a request that was not seen", "request GET /api", "end in cut", "end out"]


def test_answers_without_requests_are_bounded() -> None:
    reader = Http2Reader()
    resets = b"".join(frame(3, 0, 2 * n + 1, b"\0\0\0\0") for n in range(3 * STREAM_LIMIT))
    reader.feed(IN, 0, resets, 1)
    assert len(reader._streams) <= STREAM_LIMIT
    assert reader._resets.keys() <= reader._streams.keys()


def test_an_answer_that_was_reset_waits_for_its_request_too() -> None:
    back = frame(1, 4, 1, block(OK)) + frame(0, 0, 1, b"{}") + frame(3, 0, 1, b"\0\0\0\2") * 2
    events = check([(IN, back), (OUT, PREFACE + frame(1, 5, 1, block(GET)))])
    assert brief(events) == ["request GET /api", "response 200", "data in {}", "reset in 2"]


def test_h2_streams_that_nobody_ends_are_bounded() -> None:
    encoder = hpack.Encoder()
    out = PREFACE + b"".join(frame(1, 4, 2 * n + 1, block(POST, encoder)) for n in range(STREAM_LIMIT + 10))
    reader = Http2Reader()
    events = reader.feed(OUT, 0, out, 1)
    assert len(reader._streams) == STREAM_LIMIT
    assert brief(events).count(f"unreadable out more than {STREAM_LIMIT} h2 streams open") == 10


def test_a_hole_in_a_body_is_skipped_and_laid_to_its_exchange() -> None:
    reader, head = Http2Reader(), PREFACE + frame(1, 4, 1, block(POST))
    whole = head + frame(0, 1, 1, b"abcdefghij") + frame(1, 5, 3, block(GET))
    cut = len(head) + 9 + 3
    events = reader.feed(OUT, 0, whole[:cut], 1) + reader.lose(OUT, 5, 2, "ring full") + reader.feed(OUT, cut + 5, whole[cut + 5 :], 3)
    assert brief(events) == ["request POST /api", "data out abc", "lost out 5", "data out ij", "end out", "request GET /api", "end out"]
    assert events[2] == Lost(len(PREFACE), OUT, cut, 5, 2, "ring full")


def many(count: int = 30, missing: int = 0) -> tuple[bytes, list[int], hpack.Encoder]:
    """Requests of one client, where each begins, and its encoder."""
    encoder, out, starts = hpack.Encoder(), PREFACE, []
    for number in range(count):
        starts.append(len(out))
        fields = [*GET[:3], (":path", f"/{number}"), ("authorization", "Bearer token"), ("x-n", str(number % 3))]
        out += frame(1, 5, 2 * number + 1, block(fields, encoder))
    return out, starts, encoder


def test_behind_a_hole_reading_resumes_with_evidence_and_unknown_is_unknown() -> None:
    out, starts, _ = many()
    hole, behind = starts[5], starts[7]
    reader = Http2Reader()
    events = reader.feed(OUT, 0, out[:hole], 1) + reader.feed(OUT, behind, out[behind:], 2)
    resumed = [event for event in events if isinstance(event, Resumed)]
    assert resumed == [Resumed(OUT, behind, 2, "three frame headers in a row")]
    requests = [event for event in events if isinstance(event, Request)]
    assert [event.exchange for event in requests] == starts[:5] + starts[7:]
    late = requests[5]
    assert (late.method, late.target, late.headers) == ("GET", "/7", ((None, None),) * 3)
    doubts = [event for event in events if isinstance(event, Lost) and event.exchange == late.exchange]
    assert [event.cause for event in doubts] == ["3 header fields whose table was joined late"]


def test_answers_to_requests_in_a_hole_are_said_not_to_be_known() -> None:
    out, starts, _ = many()
    encoder = hpack.Encoder()
    back = b"".join(frame(1, 5, 2 * n + 1, block(OK, encoder)) for n in range(30))
    reader = Http2Reader()
    events = reader.feed(OUT, 0, out[: starts[5]], 1) + reader.feed(OUT, starts[7], out[starts[7] :], 1) + reader.feed(IN, 0, back, 1)
    events += reader.close(1)
    answered = {event.exchange for event in events if isinstance(event, Response)}
    assert answered == set(starts) - {starts[5], starts[6]}
    assert brief(events).count("unreadable in an answer to a request that was not seen") == 2


def test_a_hole_without_a_boundary_behind_it_is_said_at_the_close() -> None:
    reader = Http2Reader()
    reader.feed(OUT, 0, PREFACE + frame(1, 4, 1, block(POST)), 1)
    reader.lose(OUT, 5, 1, "x")
    position = len(PREFACE) + 9 + len(block(POST)) + 5
    reader.feed(OUT, position, b"no frames here " * 9, 1)
    assert f"unreadable out no frame header behind a hole at {position}" in [
        f"{_word(event)} at {getattr(event, 'position', '')}" for event in reader.close(1)
    ]


STEPS = st.lists(
    st.sampled_from(["get", "post", "padded", "trailers", "informational", "cancel", "ping", "goaway", "split"]), min_size=1, max_size=6
)


def conversation(steps: list[str]) -> Peers:
    peers = Peers()
    for turn, step in enumerate(steps):
        _STEPS[step](peers, 2 * turn + 1)
    return peers


def _get(peers: Peers, number: int) -> None:
    peers.ask(number, [*GET, ("x-n", str(number))])
    peers.answer(number, b"{}" * number)


def _post(peers: Peers, number: int) -> None:
    peers.ask(number, [*POST, ("content-length", "6")], ends=False)
    peers.client.send_data(number, b"abcdef", end_stream=True)
    peers.pump()
    peers.answer(number, b"", [(":status", "201"), ("audit-id", str(number))])


def _padded(peers: Peers, number: int) -> None:
    peers.ask(number, POST, ends=False, priority_weight=9)
    peers.client.send_data(number, b"abc", end_stream=True, pad_length=number)
    peers.pump()
    peers.answer(number, b"x" * 300)


def _trailers(peers: Peers, number: int) -> None:
    peers.ask(number)
    peers.server.send_headers(number, OK)
    peers.server.send_headers(number, [("x-trailer", "1")], end_stream=True)
    peers.pump()


def _informational(peers: Peers, number: int) -> None:
    peers.ask(number)
    peers.server.send_headers(number, [(":status", "103")])
    peers.answer(number, b"{}")


def _cancel(peers: Peers, number: int) -> None:
    peers.ask(number)
    peers.server.send_headers(number, OK)
    peers.server.send_data(number, b"event")
    peers.pump()
    peers.client.reset_stream(number, 8)
    peers.pump()


def _split(peers: Peers, number: int) -> None:
    peers.client.max_outbound_frame_size = peers.server.max_outbound_frame_size = 20
    peers.ask(number, [*GET, ("x-long", "v" * 100)])
    peers.server.send_headers(number, [*OK, ("x-long", "w" * 100)], end_stream=True)
    peers.pump()
    peers.client.max_outbound_frame_size = peers.server.max_outbound_frame_size = 16_384


def _ping(peers: Peers, number: int) -> None:
    peers.client.ping(b"12345678")
    peers.pump()
    _get(peers, number)


def _goaway(peers: Peers, number: int) -> None:
    peers.ask(number)
    peers.pieces.append((IN, frame(7, 0, 0, struct.pack(">LL", number, 0))))
    peers.answer(number, b"{}")


_STEPS = {
    "get": _get,
    "post": _post,
    "padded": _padded,
    "trailers": _trailers,
    "informational": _informational,
    "cancel": _cancel,
    "ping": _ping,
    "goaway": _goaway,
    "split": _split,
}


@settings(max_examples=100)
@given(STEPS, st.data())
def test_conversations_are_the_same_however_they_are_cut(steps: list[str], data: st.DataObject) -> None:
    pieces = conversation(steps).pieces
    events = assert_chunking_invariant(Http2Reader, pieces, data.draw(cuts(sum(len(piece) for _, piece in pieces))))
    assert not [event for event in events if isinstance(event, Unreadable | Lost | Ambiguous)]


def by_exchange(events: list[Event]) -> dict[object, list[Event]]:
    """Events of each exchange and direction."""
    found: dict[object, list[Event]] = {}
    for direction in Direction:
        for event in of(events, direction):
            found.setdefault((getattr(event, "exchange", None), direction), []).append(event)
    return {key: joined(each) for key, each in found.items()}


@settings(max_examples=100)
@given(STEPS, st.data())
def test_conversations_are_the_same_however_they_are_interleaved(steps: list[str], data: st.DataObject) -> None:
    peers = conversation(steps)
    other = read(Http2Reader(), data.draw(interleavings(*peers.both())))
    assert by_exchange(other) == by_exchange(read(Http2Reader(), peers.pieces))


@settings(max_examples=100)
@given(STEPS, st.data())
def test_a_mark_anywhere_gives_the_same_events(steps: list[str], data: st.DataObject) -> None:
    peers = conversation(steps)
    reader, fed = Http2Reader(), [0, 0]
    stop = data.draw(st.integers(0, sum(len(piece) for _, piece in peers.pieces)))
    for direction, piece in peers.pieces:
        part, stop = piece[:stop], max(0, stop - len(piece))
        reader.feed(direction, fed[direction], part, 1)
        fed[direction] += len(part)
    mark = reader.mark()
    assert mark is not None
    restored = Http2Reader.restore(msgpack.unpackb(msgpack.packb(mark)))
    rest = [(direction, whole[fed[direction] :]) for direction, whole in zip(Direction, peers.both(), strict=True)]
    again = [(direction, whole[mark["positions"][direction] :]) for direction, whole in zip(Direction, peers.both(), strict=True)]
    expected = read(reader, rest, (fed[0], fed[1]))
    assert by_exchange(read(restored, again, tuple(mark["positions"]))) == by_exchange(expected)


@settings(max_examples=100)
@given(STEPS, st.data())
def test_losing_bytes_anywhere_invents_nothing(steps: list[str], data: st.DataObject) -> None:
    peers = conversation(steps * 3)
    both, position = peers.both(), [0, 0]
    true = {event.exchange: event for event in read(Http2Reader(), peers.pieces) if isinstance(event, Request)}
    torn = data.draw(st.sampled_from(Direction))
    first = data.draw(st.integers(0, len(both[torn])))
    last = data.draw(st.integers(first, len(both[torn])))
    reader, events = Http2Reader(), list[Event]()
    for direction, piece in peers.pieces:
        for at, part in _outside(position[direction], piece, (first, last) if direction == torn else (0, 0)):
            events += reader.feed(direction, at, part, 1)
        position[direction] += len(piece)
    for event in events + reader.close(1):
        if isinstance(event, Request):
            whole = true[event.exchange]
            assert event.method in (None, whole.method)
            assert event.target in (None, whole.target)
            assert all((None in field) or field in whole.headers for field in event.headers)


def _outside(position: int, piece: bytes, hole: tuple[int, int]) -> list[tuple[int, bytes]]:
    first, last = (min(max(at - position, 0), len(piece)) for at in hole)
    return [(at, part) for at, part in ((position, piece[:first]), (position + last, piece[last:])) if part]


@settings(max_examples=100)
@given(STEPS, st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=12)), max_size=6))
def test_mutated_conversations_never_raise(steps: list[str], edits: list[tuple[int, bytes]]) -> None:
    pieces = []
    for number, (direction, piece) in enumerate(conversation(steps).pieces):
        changed = bytearray(piece)
        for at, content in edits[number % 2 :: 2]:
            changed[at % (len(changed) + 1) :][: len(content)] = content
            changed[at % (len(changed) + 1) : at % (len(changed) + 1) + len(content)] = content
        pieces.append((direction, bytes(changed)))
    read(Http2Reader(), pieces)


@given(st.lists(st.tuples(st.sampled_from(Direction), st.binary(max_size=80))))
def test_any_bytes_give_events_and_never_raise(pieces: list[Piece]) -> None:
    read(Http2Reader(), [(OUT, PREFACE), *pieces])


def test_trailers_keep_their_place() -> None:
    peers = Peers()
    _trailers(peers, 1)
    events = read(Http2Reader(), peers.pieces)
    trailers = next(event for event in events if isinstance(event, Trailers))
    end = next(event for event in events if isinstance(event, End) and event.direction == IN)
    assert trailers.position + trailers.size == end.position


def test_a_hole_in_an_answer_that_waits_for_its_request_is_laid_to_it() -> None:
    peers = Peers()
    peers.ask(1)
    peers.server.send_headers(1, OK)
    for _ in range(8):
        peers.server.send_data(1, b"x" * 1000)
    peers.server.end_stream(1)
    peers.pump()
    out, back = peers.both()
    reader, start = Http2Reader(), len(back) - 9 - 2 * 1009
    events = reader.feed(IN, 0, back[: start - 3000], 1) + reader.feed(IN, start, back[start:], 2) + reader.feed(OUT, 0, out, 3)
    request = next(event for event in events if isinstance(event, Request))
    (lost,) = [event for event in events if isinstance(event, Lost) and event.exchange == request.exchange]
    assert (lost.position, lost.size) == (start - 3000, 3000)


def test_what_seems_a_long_frame_hides_no_boundary_at_the_close() -> None:
    out, starts, _ = many()
    seeming = struct.pack(">HBBBL", 0x300, 0, 0, 0, 1)  # 196,608 bytes of DATA, of which few come
    reader = Http2Reader()
    reader.feed(OUT, 0, out[: starts[5]], 1)
    reader.lose(OUT, 100, 1, "ring full")
    assert reader.feed(OUT, starts[5] + 100, seeming + out[starts[7] :], 2) == []
    closed = reader.close(3)
    assert next(event.target for event in closed if isinstance(event, Request)) == "/7"
    assert [event.reason for event in closed if isinstance(event, Unreadable)] == []
