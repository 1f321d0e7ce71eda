"""Any split of the same bytes over writes and reads, any verdicts: allowed bytes leave equal and in order, refused ones never."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial

import h2.config
import h2.connection
import h2.events
import hpack
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.asking import ASKS, ASKS1, OPENING, Asks, Asks1, block, conversation
from support.composing import Client2, Held, Judge, Server1, Server2, cut, http1_answers

from chaperone.collector.mask.inline.choice import scanner
from chaperone.collector.wire.compose.composer import CREDIT_AT, GATHER_LIMIT, Composer
from chaperone.collector.wire.compose.spans import Fill
from chaperone.collector.wire.compose.units import Asked, Name, Part, Ruling
from chaperone.collector.wire.events import Request
from chaperone.proto.refusals import Refusal, frame, made

CUTS = st.lists(st.integers(0, 5000), max_size=25)


def _judge(script: Sequence[Asks | Asks1]) -> Judge:
    def judge(request: Request, asked: Asked) -> Ruling:
        number = int(dict(request.headers)["x-number"] or "")
        refusal = Refusal(f"id-{number}", f"no {number}", bodiless=request.method == "HEAD")
        return refusal if script[number // 2].refused else None

    return judge


@settings(max_examples=150, deadline=None)
@given(st.lists(ASKS, min_size=1, max_size=6), st.lists(st.integers(0, 50), max_size=30), CUTS, st.data())
def test_http2_allowed_requests_arrive_equal_and_refused_ones_never(
    script: list[Asks], order: list[int], cuts: list[int], data: st.DataObject
) -> None:
    held, server, client = Held(_judge(script)), Server2(), Client2()
    for piece in cut(conversation(script, order), cuts):
        answer = server.take(held.write(piece))
        for read in cut(answer, data.draw(st.lists(st.integers(0, 300), max_size=4))):
            client.take(held.read(read))
    _assert_served(script, server, client)
    assert not held.composer.holds_reads, "nobody waits for an answer"
    assert held.orders[-1].name is not Name.SKIP


def _assert_served(script: list[Asks], server: Server2, client: Client2) -> None:
    for at, one in enumerate(script):
        number = 2 * at + 1
        if one.refused:
            assert number not in server.served
            assert client.status(number) == "403" and json.loads(client.answers[number][1])["message"] == f"no {number}"
        else:
            served = server.served[number]
            assert served.whole and served.body == one.body(number) and (b"x-number", str(number).encode()) in served.fields
            assert served.trailers == ([(b"x-trailer", f"value-{number}".encode())] if one.trailers else [])
            assert client.status(number) == "200" and client.answers[number][1] == b"served"
    assert client.ended == {2 * at + 1 for at in range(len(script))}


@settings(max_examples=150, deadline=None)
@given(st.lists(ASKS1, min_size=1, max_size=6), CUTS, st.data())
def test_http1_allowed_requests_arrive_equal_and_refused_ones_never(script: list[Asks1], cuts: list[int], data: st.DataObject) -> None:
    held, server, got, left = Held(_judge(script)), Server1(), b"", b""
    sent = b"".join(one.sent(2 * at + 1) for at, one in enumerate(script))
    for piece in cut(sent, cuts):
        leaving = held.write(piece)
        left += leaving
        for read in cut(server.take(leaving), data.draw(st.lists(st.integers(0, 300), max_size=4))):
            got += held.read(read)
    assert not held.composer.holds_reads and held.orders[-1].name is not Name.SKIP
    harmless = ("GET", "/healthz", b"")
    allowed = [(one.method, f"/api/v1/x{2 * at + 1}", one.body or b"") for at, one in enumerate(script)]
    assert server.served == [harmless if one.refused else allowed[at] for at, one in enumerate(script)]
    _assert_leaves_equal(script, left)
    for at, (status, body) in enumerate(http1_answers(got, [one.method for one in script])):
        assert status == (403 if script[at].refused else 200)
        assert body == b"" if script[at].method == "HEAD" else (f"no {2 * at + 1}" if script[at].refused else "served").encode() in body


def _assert_leaves_equal(script: list[Asks1], left: bytes) -> None:
    """Byte for byte: chunks as they were."""
    for at, one in enumerate(script):
        sent = one.sent(2 * at + 1) if not one.refused else b"GET /healthz HTTP/1.1\r\n"
        assert left.startswith(sent)
        left = left[len(sent) :] if not one.refused else left.partition(b"\r\n\r\n")[2]
    assert not left


NO = Refusal("id", "no")
RESET = frame(3, 0, 1, b"\0\0\0\1")
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
EXEC = b"POST /exec HTTP/1.1\r\nHost: k\r\n" + UPGRADE
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n" + UPGRADE


def _ruled(ruling: Ruling) -> tuple[Held, list[Asked]]:
    """All requests are ruled like this; and which were asked about."""
    asked: list[Asked] = []

    def judge(_request: Request, each: Asked) -> Ruling:
        asked.append(each)
        return ruling

    return Held(judge), asked


def _head(number: int = 1, ends: bool = False) -> bytes:
    fields = [(":method", "POST"), (":scheme", "https"), (":path", f"/api/v1/x{number}"), (":authority", "k")]
    return block(hpack.Encoder().encode(fields), number, 1, ends)


def test_what_awaits_no_verdict_passes() -> None:
    held, _ = _ruled(None)
    assert held.write(OPENING) == OPENING and held.write(_head(ends=True)) == _head(ends=True)
    assert [order.name for order in held.orders] == [Name.PASS, Name.PASS]


def test_a_request_is_gathered_and_leaves_in_the_write_that_completes_it() -> None:
    held, _ = _ruled(None)
    held.write(OPENING)
    assert held.write(_head()) == b"" and held.write(frame(0, 0, 1, b"some")) == b""
    assert held.write(frame(0, 1, 1, b"body")) == _head() + frame(0, 0, 1, b"some") + frame(0, 1, 1, b"body")
    assert [order.name for order in held.orders[1:]] == [Name.SKIP, Name.SKIP, Name.WRITE]
    begin, end = len(OPENING), len(OPENING + _head()) + 2 * 13
    assert held.orders[-1].parts == (Part(begin, end),) and held.orders[-1].released == end


def test_the_first_bytes_of_a_preface_wait_for_the_rest() -> None:
    held, _ = _ruled(None)
    assert held.write(OPENING[:3]) == b"" and held.write(OPENING[3:]) == OPENING


def test_what_the_server_said_before_the_preface_was_heard_is_kept() -> None:
    held, _ = _ruled(None)
    assert held.read(frame(4, 0, 0, b"\0\4\0\0\0\5")[:10]) != b""
    held.read(frame(4, 0, 0, b"\0\4\0\0\0\5")[10:])
    held.write(OPENING + _head() + frame(0, 0, 1, b"12345"))
    assert held.orders[-1].name is Name.PASS, "a window of five bytes is shut: it was judged without the rest"


def test_a_client_without_window_is_judged_by_its_head() -> None:
    held, asked = _ruled(NO)
    held.write(OPENING.replace(frame(8, 0, 0, (1 << 20).to_bytes(4, "big")), b"") + _head())
    for size in (16_384, 16_384, 16_384, 16_382):
        assert held.write(frame(0, 0, 1, b"x" * size)) == b""
    assert not asked
    assert held.write(frame(0, 0, 1, b"x")).startswith(_head()[:3]) and not asked[0].whole
    assert held.write(frame(0, 1, 1, b"")) == b"", "later body bytes of what was refused"
    answer = held.read(RESET)
    assert int.from_bytes(answer[-4:], "big") == 65_535, "what was dropped may be sent again"


def test_credit_that_comes_too_late_for_its_answer_goes_with_the_next() -> None:
    held, _ = _ruled(NO)
    held.write(OPENING.replace(frame(8, 0, 0, (1 << 20).to_bytes(4, "big")), b"") + _head())
    for size in (16_384, 16_384, 16_384, 16_383):
        held.write(frame(0, 0, 1, b"x" * size))
    held.read(RESET)
    held.write(frame(0, 1, 1, b"late"))
    held.write(_head(3, ends=True))
    assert held.read(RESET[:8] + b"\3" + RESET[9:])[-4:] == b"\0\0\0\4"


def _exchanged(client: h2.connection.H2Connection, held: Held, server: Server2, answered: Callable[[int], object] = lambda _: None) -> bool:
    """Let both say what they have to; whether the client had anything."""
    said = client.data_to_send()
    if answer := held.read(server.take(held.write(said))) if said else b"":
        for event in client.receive_data(answer):
            if isinstance(event, h2.events.StreamEnded):
                answered(event.stream_id)
    return bool(said)


def _upload(client: h2.connection.H2Connection, number: int, size: int, exchange: Callable[[], bool]) -> None:
    while size:
        piece = min(size, client.local_flow_control_window(number), client.max_outbound_frame_size)
        assert piece, f"it may send nothing any more, {size} bytes before its end"
        client.send_data(number, bytes(piece))
        size -= piece
        while exchange():
            continue


def test_a_long_upload_that_was_refused_leaves_others_their_window() -> None:
    """Of a client that goes on after its refusal (a real one: h2) every byte counts against what all of its h2 streams may send."""
    held, server = Held(lambda _, asked: NO if asked.number == 1 else None), Server2()
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    _exchanged(client, held, server)
    client.receive_data(held.read(frame(4, 0, 0, b"\0\4" + (1 << 20).to_bytes(4, "big"))))
    fields = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/api")]
    client.send_headers(1, fields)
    _upload(client, 1, 600_000, lambda: _exchanged(client, held, server))
    client.send_headers(3, fields)
    _upload(client, 3, 100_000, lambda: _exchanged(client, held, server))
    client.end_stream(3)
    _exchanged(client, held, server)
    assert list(server.served) == [3] and len(server.served[3].body) == 100_000
    assert client.outbound_flow_control_window > 65_535 - CREDIT_AT - 16_384
    assert not held.composer.holds_reads or held.composer._owed < CREDIT_AT


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 100, 30_000, 40_000, 70_000]), min_size=1, max_size=5),
    turns=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 16_384)), max_size=40),
    refused=st.sets(st.integers(0, 4)),
    is_wide=st.booleans(),
)
@example(
    sizes=[100, 40_000, 40_000],
    turns=[(1, 16_384), (2, 16_384), (0, 83), (2, 16_384), (2, 4_765), (1, 11_435)],
    refused=set(),
    is_wide=False,
)
@example(sizes=[40_000, 70_000], turns=[(0, 5)] + [(1, 16_384)] * 5, refused=set(), is_wide=True)
def test_uploads_that_share_a_window_always_come_to_their_end(
    sizes: list[int], turns: list[tuple[int, int]], refused: set[int], is_wide: bool
) -> None:
    """In turns, by a client (h2) that goes on when its last one can; the server gives back only half a window at once. `is_wide`: the
    connection's window is not what is short."""
    held = Held(lambda _, asked: NO if asked.number // 2 in refused else None)
    server, client = Server2(credit_at=32_767), h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    if is_wide:
        client.receive_data(held.read(frame(4, 0, 0, b"") + frame(8, 0, 0, (1 << 20).to_bytes(4, "big"))))
    left = {2 * at + 1: size for at, size in enumerate(sizes)}
    for number in left:
        client.send_headers(number, [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/api")])
    waiting = [(2 * (at % len(sizes)) + 1, size) for at, size in turns]
    while left:
        waiting = waiting or [(number, 16_384) for number in left]
        while waiting:
            _say(client, left, *waiting.pop(0))
        assert _exchanged(client, held, server, lambda number: left.pop(number, None)), f"it may send nothing any more: {left}"
    while _exchanged(client, held, server):
        continue
    allowed = {2 * at + 1: size for at, size in enumerate(sizes) if at not in refused}
    assert {number: len(one.body) for number, one in server.served.items() if one.whole} == allowed


def _say(client: h2.connection.H2Connection, left: dict[int, int], number: int, size: int) -> None:
    """The next bytes of a body, if there are some, as far as windows allow."""
    if number not in left:
        return
    size = min(size, left[number], client.local_flow_control_window(number))
    left[number] -= size
    if size or not left[number]:
        client.send_data(number, bytes(size), end_stream=not left[number])
    if not left[number]:
        del left[number]


def test_a_ping_never_leaves_within_a_frame() -> None:
    held = Held(lambda _, asked: NO if asked.number == 1 else None)
    held.write(OPENING + _head(1, ends=True))
    held.read(RESET)
    other = frame(0xFA, 0, 0, b"y" * 100)  # of a kind that nobody knows
    held.write(frame(0, 0, 1, b"x" * 16_384))
    assert held.write(frame(0, 0, 1, b"x" * 16_384) + other[:50]) == other[:50]
    ping = made("http2-ping", b"", Refusal("credit"))
    assert held.write(other[50:]) == other[50:] + ping
    assert held.write(frame(0, 0, 1, b"x" * 16_384)) == b"", "one at a time"
    own = frame(6, 1, 0, b"12345678")
    assert held.read(own + ping[:4] + b"\1" + ping[5:]) == own + frame(8, 0, 0, (32_768).to_bytes(4, "big"))
    assert not held.composer.holds_reads


def test_a_server_that_ends_the_connection_owes_no_credit() -> None:
    held = Held(lambda _, asked: NO)
    held.write(OPENING + _head(1, ends=True))
    held.read(RESET)
    held.write(frame(0, 0, 1, b"x" * 16_384) * 2)
    assert held.composer.holds_reads
    end = frame(7, 0, 0, b"\0\0\0\1\0\0\0\1")
    assert held.read(end) == end and not held.composer.holds_reads


def test_only_the_oldest_is_judged_by_its_head_and_too_much_is_not_gathered() -> None:
    held, asked = _ruled(None)
    raise_window = frame(4, 0, 0, b"\0\4" + (1 << 30).to_bytes(4, "big")) + frame(8, 0, 0, (1 << 30).to_bytes(4, "big"))
    held.read(raise_window)
    held.write(OPENING + _head(1) + _head(3))
    while not asked:
        held.write(frame(0, 0, 1, b"x" * 16_384))
    assert [(each.number, each.whole) for each in asked] == [(1, False)]
    gathered = asked[0].held + len(_head(3))
    assert gathered - len(frame(0, 0, 1, b"x" * 16_384)) < GATHER_LIMIT <= gathered


def test_what_waits_on_one_h2_stream_does_not_stop_what_others_need() -> None:
    held, _ = _ruled(None)
    held.write(OPENING + _head(1, ends=True))
    held.write(_head(3))
    update = frame(8, 0, 0, b"\0\0\1\0") + frame(8, 0, 1, b"\0\0\1\0")
    assert held.write(update) == update and held.orders[-1].name is Name.PASS
    assert held.write(frame(8, 0, 3, b"\0\0\1\0") + frame(4, 1, 0, b"")) == b""


def test_a_request_given_up_while_it_is_gathered_leaves_only_its_header_block() -> None:
    held, asked = _ruled(None)
    held.write(OPENING + _head() + frame(0, 0, 1, b"some"))
    left = held.write(frame(3, 0, 1, b"\0\0\0\x08"))
    assert left[3] == 1 and b"some" not in left and not asked
    assert not held.composer.holds_reads and held.read(RESET) == RESET


def test_a_client_that_waits_for_100_is_judged_by_its_head_and_its_body_dropped() -> None:
    held, asked = _ruled(NO)
    head = b"PUT / HTTP/1.1\r\nHost: k\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    assert held.write(head).startswith(b"GET /healthz ") and not asked[0].whole
    assert held.read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").startswith(b"HTTP/1.1 403 ")
    assert held.write(b"body") == b"" and held.orders[-1].released == len(head) + 4


def test_an_upgrade_is_judged_before_its_answer_and_channels_pass_behind_it() -> None:
    held, asked = _ruled(None)
    assert held.write(EXEC) == EXEC and asked[0].whole
    assert held.write(b"\x81\x80") == b"" and held.composer.waits
    assert held.read(SWITCH) == SWITCH and not held.composer.waits
    assert held.again() == b"\x81\x80"
    assert held.write(b"\x81\x80") == b"\x81\x80" and held.orders[-1].name is Name.PASS


def test_a_refused_upgrade_is_answered_and_the_connection_goes_on() -> None:
    held, asked = _ruled(NO)
    assert held.write(EXEC).startswith(b"GET /healthz ")
    assert held.read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").startswith(b"HTTP/1.1 403 ")
    assert held.write(EXEC).startswith(b"GET /healthz ") and len(asked) == 2


def test_a_held_read_passes_when_nobody_waits() -> None:
    held, _ = _ruled(None)
    held.write(OPENING)
    held.composer.was_sent(RESET[:5], [], held=True)
    assert held.composer.order_read(0, 5).name is Name.PASS and held.composer.read == 5


def test_what_left_unheld_is_not_written_again() -> None:
    held, _ = _ruled(None)
    held.composer.wrote(OPENING + _head(1), [], held=False)
    begin = len(OPENING + _head(1))
    held.composer.wrote(frame(0, 1, 1, b"x"), [])
    for asked in held.composer.due():
        held.composer.rule(asked.key, None)
    assert held.composer.order_write(begin, begin + 10).name is Name.PASS


SECRET = {
    "kind": "Secret",
    "data": {"a": base64.b64encode(b"admin-1").decode(), "b": base64.b64encode(b"x").decode(), "n": ""},
    "z": [1, 2],
}
BODY = json.dumps(SECRET).encode()
SHOWN = BODY.replace(base64.b64encode(b"admin-1"), base64.b64encode(b"*" * 7)).replace(base64.b64encode(b"x"), base64.b64encode(b"*"))
SCANNERS = partial(scanner, {"data": Fill.BASE64})


def _answers2(sizes: Sequence[int]) -> bytes:
    """Two h2 streams' answers, their DATA frames in turns, padded now and then."""
    encoder = hpack.Encoder()
    heads = [encoder.encode([(":status", "200"), ("content-type", "application/json"), ("x", str(n))]) for n in (1, 3)]
    sent = b"".join(frame(1, 4, number, block) for number, block in zip((1, 3), heads, strict=True))
    at = 0
    while at < len(BODY):
        size = sizes[at % len(sizes)] if sizes else len(BODY)
        piece = BODY[at : at + size]
        last = at + size >= len(BODY)
        for number in (1, 3):
            padding = size % 3
            sent += frame(0, (8 if padding else 0) | last, number, (bytes([padding]) if padding else b"") + piece + b"\0" * padding)
        sent += frame(6, 0, 0, b"12345678")
        at += size
    return sent + frame(6, 0, 0, b"87654321")


@given(sizes=st.lists(st.integers(1, 60), max_size=5), cuts=st.lists(st.integers(0, 5000), max_size=12))
@settings(max_examples=60, deadline=None)
def test_http2_secrets_of_answers_are_stars_however_they_come(sizes: list[int], cuts: list[int]) -> None:
    held = Held(lambda request, asked: None, SCANNERS)
    encoder = hpack.Encoder()
    held.write(
        OPENING + b"".join(frame(1, 5, n, encoder.encode([(":method", "GET"), (":path", "/x"), (":authority", "a")])) for n in (1, 3))
    )
    sent = _answers2(sizes)
    shown = b"".join(held.read(piece) for piece in cut(sent, cuts))
    assert len(shown) == len(sent) and not held.composer.problem and not held.composer.holds_reads
    client = hyper()
    events = client.receive_data(shown)
    for number in (1, 3):
        assert b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived) and event.stream_id == number) == SHOWN


@given(cuts=st.lists(st.integers(0, 3000), max_size=12), chunks=st.lists(st.integers(1, 60), max_size=4))
@example(cuts=[314], chunks=[1])
@settings(max_examples=60, deadline=None)
def test_http1_secrets_of_answers_are_stars_however_they_come(cuts: list[int], chunks: list[int]) -> None:
    held = Held(lambda request, asked: None, SCANNERS)
    held.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    pieces = cut(BODY, chunks)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
    sent = head % 200 + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    sent += head % 200 + b"Transfer-Encoding: chunked\r\n\r\n" + chunked
    sent += head % 404 + b"Content-Length: 3\r\n\r\nabc"
    shown = b"".join(held.read(piece) for piece in cut(sent, cuts))
    assert len(shown) == len(sent) and not held.composer.problem and not held.composer.holds_reads
    assert http1_answers(shown, ["GET"] * 3) == [(200, SHOWN), (200, SHOWN), (404, b"abc")]


def test_an_answer_that_cannot_be_masked_is_not_delivered() -> None:
    held = Held(lambda request, asked: None, SCANNERS)
    held.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert held.read(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx") == b""
    assert held.composer.problem == "it is compressed"


def test_no_request_asks_for_a_compressed_answer() -> None:
    held = Held(lambda request, asked: None, composer=Composer(is_plain=True))
    one, two = b"GET /x HTTP/1.1\r\nAccept-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab", b"GET /y HTTP/1.1\r\naccept-encoding: br\r\n\r\n"
    assert held.write(one[:40]) + held.write(one[40:] + two) == one.replace(b"gzip", b"none") + two.replace(b"br", b"no")
    encoder = hpack.Encoder()
    held = Held(lambda request, asked: None, composer=Composer(is_plain=True))
    fields = [(":method", "GET"), (":path", "/x"), (":authority", "a"), ("accept-encoding", "gzip")]
    server = Server2()
    for number in (1, 3):
        server.take(held.write((OPENING if number == 1 else b"") + frame(1, 5, number, encoder.encode(fields))))
        assert dict(server.served[number].fields)[b"accept-encoding"] == b"none"


def hyper() -> h2.connection.H2Connection:
    """A client that has asked twice."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    for number in (1, 3):
        client.send_headers(number, [(":method", "GET"), (":path", "/x"), (":authority", "a"), (":scheme", "https")], end_stream=True)
    return client
