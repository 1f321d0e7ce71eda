"""HTTP/1.1 as each section of RFC 9112 has it, and whatever else may come: as long as the reader's list of cases."""

import re
import time as clock
from collections.abc import Sequence

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import Piece, assert_chunking_invariant, cuts, every_byte, interleavings, of, read

from chaperone.collector.wire.events import (
    Ambiguous,
    Data,
    End,
    Event,
    Lost,
    Request,
    Response,
    Resumed,
    Trailers,
    Unreadable,
    Upgraded,
)
from chaperone.collector.wire.http1 import CHUNK_LINE_LIMIT, HEAD_LIMIT, QUEUE_LIMIT, Http1Reader
from chaperone.collector.wire.intake import SKEW_LIMIT
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
GET = b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n"
UPGRADE = b"GET /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"


def post(size: int, *more: bytes) -> bytes:
    return b"\r\n".join((b"POST /api HTTP/1.1", b"Host: x", b"Content-Length: %d" % size, *more, b"", b""))


def check(pieces: Sequence[Piece]) -> list[Event]:
    """The events; the same byte by byte."""
    whole = read(Http1Reader(), pieces)
    assert read(Http1Reader(), every_byte(pieces)) == whole
    return whole


def brief(events: list[Event]) -> list[str]:
    """Events in a word each, with what matters most."""
    return [_word(event) for event in events]


def _word(event: Event) -> str:
    name = type(event).__name__.lower()
    where = getattr(event, "direction", None)
    detail: object = ""
    if isinstance(event, Response):
        detail = event.status
    elif isinstance(event, Data):
        detail = bytes(event.data).decode()
    elif isinstance(event, End):
        detail = "" if event.complete else "cut"
    elif isinstance(event, Ambiguous | Unreadable):
        detail = event.reason
    elif isinstance(event, Lost):
        detail = event.size
    return " ".join(str(part) for part in (name, where.name.lower() if where is not None else "", detail) if part != "")


def test_an_exchange_has_exact_positions_and_sizes() -> None:
    events = check([(OUT, post(3) + b"abc"), (IN, OK)])
    head, answer = len(post(3)), len(OK) - 2
    assert events == [
        Request(0, 1, "http/1.1", "POST", "/api", "x", (("host", "x"), ("content-length", "3")), head),
        Data(0, OUT, head, 1, b"abc", 3),
        End(0, OUT, head + 3, 1),
        Response(0, 0, 1, 200, (("content-length", "2"),), answer),
        Data(0, IN, answer, 1, b"{}", 2),
        End(0, IN, answer + 2, 1),
    ]


def test_chunks_extensions_and_trailers_are_read() -> None:
    events = check([(OUT, GET), (IN, CHUNKED + b"Expires: never\r\n\r\n")])
    assert brief(events[2:]) == ["response 200", "data in hello!", "trailers in", "end in"]
    trailers = next(event for event in events if isinstance(event, Trailers))
    assert trailers.headers == (("expires", "never"),)
    inward = sum(event.size for event in events if isinstance(event, Response | Data | Trailers | End) and of([event], IN))
    assert inward == len(CHUNKED + b"Expires: never\r\n\r\n")


def test_a_body_may_end_with_the_connection() -> None:
    events = check([(OUT, GET), (IN, b"HTTP/1.1 200 OK\r\n\r\nall there is")])
    assert brief(events[2:]) == ["response 200", "data in all there is", "end in"]


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_whatever_they_declare(status: int) -> None:
    answer = b"HTTP/1.1 %d x\r\nContent-Length: 229\r\n\r\n" % status
    assert brief(check([(OUT, GET * 2), (IN, answer + OK)]))[-5:] == [
        f"response {status}",
        "end in",
        "response 200",
        "data in {}",
        "end in",
    ]


def test_an_answer_to_head_has_no_body() -> None:
    head = GET.replace(b"GET", b"HEAD")
    events = check([(OUT, head), (IN, b"HTTP/1.1 405 No\r\nContent-Length: 229\r\n\r\n"), (OUT, GET), (IN, OK)])
    assert brief(events)[2:4] == ["response 405", "end in"]
    assert brief(events)[-1] == "end in"


def test_pipelined_requests_are_answered_in_order() -> None:
    events = check([(OUT, GET + post(2) + b"ab" + GET), (IN, OK * 3)])
    keys = [event.exchange for event in events if isinstance(event, Response)]
    assert keys == [event.exchange for event in events if isinstance(event, Request)] == [0, len(GET), len(GET) + len(post(2)) + 2]


@pytest.mark.parametrize("body_first", [True, False])
def test_a_100_may_come_before_or_after_the_body(body_first: bool) -> None:
    out, back = [(OUT, b"abc")], [(IN, b"HTTP/1.1 100 Continue\r\n\r\n")]
    middle = out + back if body_first else back + out
    events = check([(OUT, post(3, b"Expect: 100-continue")), *middle, (IN, OK)])
    assert brief(of(events, OUT)) == ["request", "data out abc", "end out"]
    assert brief(of(events, IN)) == ["response 100", "response 200", "data in {}", "end in"]


def test_a_body_that_was_refused_before_it_was_sent_is_not_cut_off() -> None:
    refused = b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"
    assert brief(check([(OUT, post(3, b"Expect: 100-continue")), (IN, refused)])) == ["request", "response 417", "end in", "end out"]
    assert brief(check([(OUT, post(3, b"Expect: 100-continue") + b"a"), (IN, refused)]))[-1] == "end out cut"


def test_an_answer_may_come_before_the_request_is_complete() -> None:
    events = check([(OUT, post(6) + b"abc"), (IN, OK), (OUT, b"def" + GET), (IN, OK)])
    assert [event.exchange for event in events if isinstance(event, Response)] == [0, len(post(6)) + 6]
    assert all(event.complete for event in events if isinstance(event, End))


def test_bytes_behind_a_101_wait_for_the_next_reader() -> None:
    reader = Http1Reader()
    events = reader.feed(OUT, 0, UPGRADE + b"\x81\x00", 1)
    events += reader.feed(IN, 0, SWITCH + b"\x82\x00", 2)
    assert brief(events) == ["request", "end out", "response 101", "upgraded"]
    assert events[-1] == Upgraded(0, len(SWITCH), 2, "websocket", "v5.channel.k8s.io")
    assert reader.positions == (len(UPGRADE), len(SWITCH))
    assert reader.rest(OUT) == [(len(UPGRADE), b"\x81\x00", 1)]
    assert reader.rest(IN) == [(len(SWITCH), b"\x82\x00", 2)]


def test_a_refused_upgrade_goes_on_as_before() -> None:
    events = check([(OUT, UPGRADE + GET), (IN, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" + OK)])
    assert [event.status for event in events if isinstance(event, Response)] == [403, 200]


def test_bytes_before_the_answer_to_an_upgrade_are_bounded() -> None:
    events = read(Http1Reader(), [(OUT, UPGRADE), (OUT, b"x" * (SKEW_LIMIT + 1)), (IN, SWITCH)])
    assert f"unreadable out more than {SKEW_LIMIT} bytes before the answer to an upgrade" in brief(events)


def test_answers_wait_for_requests_up_to_the_limit() -> None:
    events = read(Http1Reader(), [(IN, OK * 3), (OUT, GET * 3)])
    assert [event.exchange for event in events if isinstance(event, Response)] == [0, len(GET), 2 * len(GET)]
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (SKEW_LIMIT + 1)
    events = read(Http1Reader(), [(OUT, GET), (IN, OK + large), (IN, b"x" * (SKEW_LIMIT + 1)), (OUT, GET)])
    assert f"unreadable in an answer more than {SKEW_LIMIT} bytes ahead of its request" in brief(events)
    assert brief(events)[-2:] == ["end in cut", "end out"] or "end in cut" in brief(events)


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ((b"Content-Length: 3", b"Content-Length: 4"), "conflicting Content-Length"),
        ((b"Content-Length: 3", b"Transfer-Encoding: chunked"), "Transfer-Encoding and Content-Length"),
        ((b"A: 1", b" 2", b"Content-Length: 3"), "a field is folded over lines"),
        ((b"A: 1\nB: 2", b"Content-Length: 3"), "a line ends without CR"),
        ((b"Content-Length : 3",), "a field name is not a token"),
    ],
)
def test_ambiguity_is_said(lines: tuple[bytes, ...], doubt: str) -> None:
    raw = b"\r\n".join((b"POST /api HTTP/1.1", b"Host: x", *lines, b"", b"")) + b"3\r\nabc\r\n0\r\n\r\n"
    assert f"ambiguous out {doubt}" in brief(check([(OUT, raw)]))


def test_empty_lines_before_a_request_are_doubtful() -> None:
    events = check([(OUT, b"\r\n" + GET), (IN, OK)])
    assert [event.exchange for event in events if isinstance(event, Request)] == [2]
    assert "ambiguous out empty lines before a request" in brief(events)


def test_a_head_that_ends_with_bare_line_feeds_ends_there() -> None:
    assert brief(check([(OUT, b"GET / HTTP/1.1\nHost: x\n\n" + GET), (IN, OK * 2)])).count("request") == 2


def test_what_is_no_http_is_unreadable_once() -> None:
    for out, back in ((b"\x00\x01binary" * 99, b"\xff" * 99), (b"EHLO", b"220 mail ready\r\n"), (b"", b"SSH-2.0\r\n")):
        events = check([(IN, back), (OUT, out)] if out else [(IN, back)])
        assert [type(event) for event in events] == [Unreadable]


def test_a_broken_answer_ends_its_exchange_and_requests_are_read_on() -> None:
    events = check([(OUT, GET), (IN, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), (OUT, GET)])
    assert brief(events) == [
        "request",
        "end out",
        "response 200",
        "unreadable in not a chunk size",
        "end in cut",
        "request",
        "end in cut",
        "end out",
    ]


def test_a_broken_request_body_leaves_the_answer_readable() -> None:
    raw = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX"
    assert brief(check([(OUT, raw), (IN, OK)])) == [
        "request",
        "data out abcde",
        "unreadable out no line end behind a chunk",
        "end out cut",
        "response 200",
        "data in {}",
        "end in",
    ]


def test_a_hole_in_a_body_of_known_length_is_skipped() -> None:
    reader = Http1Reader()
    events = reader.feed(OUT, 0, post(10) + b"abc", 1) + reader.lose(OUT, 4, 2, "ring full")
    events += reader.feed(OUT, len(post(10)) + 7, b"hij" + GET, 3)
    assert brief(events) == ["request", "data out abc", "lost out 4", "data out hij", "end out", "request", "end out"]
    assert events[2] == Lost(0, OUT, len(post(10)) + 3, 4, 2, "ring full")


def test_a_hole_in_a_head_is_said_and_reading_resumes_with_evidence() -> None:
    reader, start = Http1Reader(), len(GET) + 10
    events = reader.feed(OUT, 0, GET[:10], 1) + reader.feed(OUT, start, b"rest of something" + GET, 2)
    events += reader.feed(IN, 0, OK, 3)
    assert brief(events) == [
        "unreadable out cut off by a hole",
        f"lost out {len(GET)}",
        "resumed out",
        "request",
        "end out",
        "response 200",
        "ambiguous in matched to its request by order behind a hole",
        "lost in 0",
        "data in {}",
        "end in",
    ]
    assert events[2] == Resumed(OUT, start + 17, 2, "a start line and a field line")


def test_a_hole_in_an_answers_framing_ends_it_and_the_next_is_found() -> None:
    reader = Http1Reader()
    events = reader.feed(OUT, 0, GET, 1) + reader.feed(IN, 0, CHUNKED[:-5], 1) + reader.lose(IN, 20, 1, "x")
    events += reader.feed(OUT, len(GET), GET, 2) + reader.feed(IN, len(CHUNKED) + 15, b"junk" + OK, 2)
    assert brief(events)[2:] == [
        "response 200",
        "data in hello",
        "data in !",
        "lost in 20",
        "end in cut",
        "request",
        "end out",
        "resumed in",
        "response 200",
        "ambiguous in matched to its request by order behind a hole",
        "lost in 0",
        "data in {}",
        "end in",
    ]
    assert events[-1].exchange == len(GET)  # type: ignore[union-attr]


def test_an_answer_whose_request_was_lost_is_not_given_to_the_next() -> None:
    reader = Http1Reader()
    events = reader.lose(OUT, len(GET), 1, "x") + reader.feed(IN, 0, OK, 2)
    events += reader.feed(OUT, len(GET), GET, 3) + reader.feed(IN, len(OK), OK, 4)
    assert "unreadable in an answer to a request that was not seen" in brief(events)
    answers = [event for event in events if isinstance(event, Response)]
    assert [(event.exchange, event.position) for event in answers] == [(len(GET), len(OK))]


def test_joined_late_both_directions_resume_at_a_start_line() -> None:
    reader = Http1Reader()
    events = reader.feed(IN, 500, b"rest of a body" + OK, 1) + reader.feed(OUT, 900, GET, 2) + reader.feed(IN, 514 + len(OK), OK, 3)
    assert [event.exchange for event in events if isinstance(event, Response)] == [900]
    assert brief(events)[0] == "lost in 500"
    assert "lost out 900" in brief(events)


def test_bytes_that_were_read_are_skipped() -> None:
    reader = Http1Reader()
    events = reader.feed(OUT, 0, GET, 1) + reader.feed(OUT, 0, GET + GET[:5], 2) + reader.feed(OUT, len(GET), GET, 3)
    assert brief(events) == ["request", "end out"] * 2


def test_a_head_over_its_limit_is_unreadable() -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (HEAD_LIMIT // 6)
    assert brief(read(Http1Reader(), [(OUT, endless)])) == [f"unreadable out no end within {HEAD_LIMIT} bytes"]
    fits = b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"t" * 1024 * 1024 + b"\r\n\r\n"
    assert brief(read(Http1Reader(), [(OUT, fits)])) == ["request", "end out", "end in cut"]


def test_a_chunk_line_over_its_limit_is_unreadable() -> None:
    raw = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * CHUNK_LINE_LIMIT
    assert f"unreadable out no end within {CHUNK_LINE_LIMIT} bytes" in brief(check([(OUT, raw)]))


def test_requests_that_nobody_answers_are_bounded() -> None:
    events = read(Http1Reader(), [(OUT, GET * (QUEUE_LIMIT + 1))])
    assert f"unreadable out more than {QUEUE_LIMIT} requests wait for an answer" in brief(events)


def test_huge_declared_lengths_cost_nothing() -> None:
    events = check([(OUT, post(10**17) + b"abc"), (IN, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx")])
    assert "data out abc" in brief(events)
    assert "data in x" in brief(events)


def test_a_dribbled_head_is_read_in_linear_time() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"t" * 300_000 + b"\r\n\r\n"
    began = clock.process_time()
    assert brief(read(Http1Reader(), every_byte([(OUT, head)])))[0] == "request"
    assert clock.process_time() - began < 10


def test_a_body_is_passed_uncopied() -> None:
    body = b"x" * 50_000
    reader = Http1Reader()
    reader.feed(OUT, 0, post(len(body)), 1)
    (data, _end) = reader.feed(OUT, len(post(len(body))), body, 1)
    assert isinstance(data, Data)
    assert isinstance(data.data, memoryview)
    assert data.data.obj is body


MESSAGES = st.lists(
    st.sampled_from(
        [
            (GET, OK),
            (GET, CHUNKED + b"T: 1\r\n\r\n"),
            (GET, b"HTTP/1.1 304 Not Modified\r\n\r\n"),
            (GET.replace(b"GET", b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            (post(5) + b"hello", b"HTTP/1.1 102 Wait\r\n\r\n" + OK),
            (post(0), b"HTTP/1.1 204 Gone\r\n\r\n"),
            (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", OK),
        ]
    ),
    min_size=1,
    max_size=6,
)


@given(MESSAGES, st.data())
def test_conversations_are_the_same_however_they_are_cut(messages: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    pieces = [piece for out, back in messages for piece in ((OUT, out), (IN, back))]
    size = sum(len(piece) for _, piece in pieces)
    assert_chunking_invariant(Http1Reader, pieces, data.draw(cuts(size)))


@given(MESSAGES, st.data())
def test_conversations_are_the_same_however_they_are_interleaved(messages: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    pieces = [piece for out, back in messages for piece in ((OUT, out), (IN, back))]
    whole = read(Http1Reader(), pieces)
    out, back = (b"".join(part[side] for part in messages) for side in (0, 1))
    other = read(Http1Reader(), data.draw(interleavings(out, back)))
    for direction in Direction:
        assert of(other, direction) == of(whole, direction)


@given(MESSAGES, st.data())
def test_a_mark_anywhere_gives_the_same_events(messages: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    pieces = [piece for out, back in messages for piece in ((OUT, out), (IN, back))]
    reader, fed = Http1Reader(), [b"", b""]
    stop = data.draw(st.integers(0, sum(len(piece) for _, piece in pieces)))
    for direction, piece in pieces:
        part, stop = piece[:stop], max(0, stop - len(piece))
        reader.feed(direction, len(fed[direction]), part, 1)
        fed[direction] += part
    mark = reader.mark()
    assert mark is not None
    restored = Http1Reader.restore(msgpack.unpackb(msgpack.packb(mark)))
    out, back = (b"".join(part[side] for part in messages) for side in (0, 1))
    rest = [(direction, whole[len(fed[direction]) :]) for direction, whole in ((OUT, out), (IN, back))]
    again = [(direction, whole[mark["positions"][direction] :]) for direction, whole in ((OUT, out), (IN, back))]
    expected = read(reader, rest, (len(fed[OUT]), len(fed[IN])))
    assert read(restored, again, tuple(mark["positions"])) == expected


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(Direction), st.one_of(st.binary(max_size=60), st.sampled_from([GET, OK, CHUNKED, UPGRADE])))))
def test_any_bytes_give_events_and_never_raise(pieces: list[Piece]) -> None:
    events = read(Http1Reader(), pieces)
    assert len([event for event in events if isinstance(event, Unreadable)]) <= 2 + len(pieces)


@given(MESSAGES, st.data())
def test_losing_bytes_anywhere_invents_nothing(messages: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    out, back = (b"".join(part[side] for part in messages) for side in (0, 1))
    true = {event.exchange: event for event in read(Http1Reader(), [(OUT, out), (IN, back)]) if isinstance(event, Request)}
    first = data.draw(st.integers(0, len(out)))
    last = data.draw(st.integers(first, len(out)))
    reader = Http1Reader()
    events = reader.feed(OUT, 0, out[:first], 1) + reader.feed(OUT, last, out[last:], 1) + reader.feed(IN, 0, back, 1)
    for event in events + reader.close(1):
        if isinstance(event, Request):
            assert event == true[event.exchange]
    assert first == last or last == len(out) or any(isinstance(event, Lost) for event in events)


def test_reasons_quote_no_payload() -> None:
    secret = b"hunter2hunter2"
    for raw in (secret + b" \x00\r\n\r\n", b"GET /" + secret + b" x HTTP/1.1\r\n\r\n", GET + secret):
        for event in read(Http1Reader(), [(OUT, raw)]):
            assert not re.search("hunter2", getattr(event, "reason", ""))
