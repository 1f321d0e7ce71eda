import random
import struct
import time as clock
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import joined, of, read, side
from support.h2_peers import Peers
from support.wire_streams import (
    KEPT,
    SHARED,
    Chunk,
    audit,
    behind,
    bodies,
    chunks,
    ended,
    events_of,
    recorded,
    reports_of,
)

from chaperone.collector.wire.choose import UNDECIDED_LIMIT, StreamReader
from chaperone.collector.wire.events import Ambiguous, Closed, Data, End, Event, Lost, Message, Request, Response, Resumed, Unreadable
from chaperone.collector.wire.exchange import Exchanges
from chaperone.collector.wire.http1 import Http1Reader
from chaperone.collector.wire.http2 import PREFACE, Http2Reader
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
GET = b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PATHS = recorded(SHARED) if SHARED.exists() else recorded(KEPT)
SMALL = [path for path in PATHS if path.stat().st_size < 20_000]
EVERY = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".jsonl.gz"))


def upgrade(protocol: bytes, subprotocol: bytes = b"") -> tuple[bytes, bytes]:
    ask = b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + protocol + b"\r\n"
    return ask, answer + (b"Sec-WebSocket-Protocol: " + subprotocol + b"\r\n" if subprotocol else b"") + b"\r\n"


SPDY_DATA = b"\0\0\0\1\0\0\0\4abcd"  # strand 1, 4 bytes
SPDY_IN_MESSAGES = b"".join(bytes([0x82, 0x80 + len(part)]) + bytes(4) + part for part in (SPDY_DATA[:5], SPDY_DATA[5:9], SPDY_DATA[9:]))


@EVERY
def test_a_recording_gives_the_exchanges_that_the_apiserver_audited(path: Path) -> None:
    found = ended(reports_of(chunks(path)))
    told = [(event["requestURI"], event["responseStatus"]["code"]) for event in audit(path)]
    assert sorted((each.request.target, each.response.status) for each in found if each.request and each.response) == sorted(told)
    assert not [each for each in found if each.gaps or each.ambiguous]


@EVERY
def test_a_recording_reads_the_same_in_any_interleaving(path: Path) -> None:
    fed, shuffled = chunks(path), list[Chunk]()
    sides = {direction: [chunk for chunk in fed if chunk.direction == direction] for direction in Direction}
    choose = random.Random(path.name)
    while any(sides.values()):
        shuffled.append(sides[choose.choice([direction for direction in Direction if sides[direction]])].pop(0))
    whole = reports_of(fed)
    for other in (sorted(fed, key=lambda chunk: chunk.direction), sorted(fed, key=lambda chunk: -chunk.direction), shuffled):
        reports = reports_of(other)
        assert ended(reports) == ended(whole)
        assert bodies(reports) == bodies(whole)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_a_recording_reads_the_same_byte_by_byte(path: Path) -> None:
    fed = chunks(path)
    singles = [Chunk(c.direction, c.position + at, c.data[at : at + 1], c.time) for c in fed for at in range(len(c.data))]
    assert joined(events_of(singles)) == joined(events_of(fed))


@settings(max_examples=60)
@given(st.sampled_from(SMALL), st.data())
def test_a_recording_cut_off_anywhere_marks_what_was_open(path: Path, data: st.DataObject) -> None:
    fed = chunks(path)
    left = data.draw(st.integers(0, sum(len(chunk.data) for chunk in fed)))
    kept, whole = list[Chunk](), ended(reports_of(fed))
    for chunk in fed:
        if part := chunk.data[:left]:
            kept.append(Chunk(chunk.direction, chunk.position, part, chunk.time))
        left -= len(part)
    for found, true in zip(ended(reports_of(kept)), whole, strict=False):
        assert not found.complete or (found.bytes_out, found.bytes_in) == (true.bytes_out, true.bytes_in) or found.upgraded


def by_side(events: Iterable[Event]) -> dict[object, list[Event]]:
    """Joined events of each exchange and direction."""
    found: dict[object, list[Event]] = {}
    for event in events:
        found.setdefault((getattr(event, "exchange", None), side(event)), []).append(event)
    return {key: joined(each) for key, each in found.items()}


@settings(max_examples=60)
@given(st.sampled_from(SMALL), st.data())
def test_a_mark_anywhere_gives_the_same_rest(path: Path, data: st.DataObject) -> None:
    fed = chunks(path)
    stop = data.draw(st.integers(0, len(fed)))
    reader, exchanges = StreamReader(), Exchanges()
    for chunk in fed[:stop]:
        exchanges.add(reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time))
    mark = reader.mark()
    if mark is None:
        return
    kept = msgpack.packb([mark, exchanges.mark()])
    restored_mark, restored_exchanges = msgpack.unpackb(kept)
    rest = events_of(fed[stop:], reader)
    again = events_of(behind(fed, mark["positions"]), StreamReader.restore(restored_mark))
    assert by_side(again) == by_side(rest)
    assert ended(Exchanges.restore(restored_exchanges).add(again)) == ended(exchanges.add(rest))


@settings(max_examples=80)
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False))
def test_losing_chunks_invents_nothing_and_is_said(path: Path, chance: random.Random) -> None:
    fed, reader, events, missing = chunks(path), StreamReader(), list[Event](), 0
    for chunk in fed:
        if chance.random() < 0.1:
            missing += len(chunk.data)
            events += reader.lose(chunk.direction, len(chunk.data), chunk.time, "ring full")
        else:
            events += reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time)
    events += reader.close(fed[-1].time)
    true = {event.exchange: event for event in events_of(fed) if isinstance(event, Request)}
    for event in events:
        if isinstance(event, Request):
            whole = true[event.exchange]
            assert event.target in (None, whole.target)
            assert all(None in field or field in whole.headers for field in event.headers)
    assert not missing or any(isinstance(event, Lost | Unreadable) for event in events)


@settings(max_examples=80)
@given(st.sampled_from(SMALL), st.randoms(use_true_random=False))
def test_mutated_recordings_never_raise(path: Path, chance: random.Random) -> None:
    reader, exchanges, positions = StreamReader(), Exchanges(), [0, 0]
    for chunk in chunks(path):
        data = bytearray(chunk.data)
        for _ in range(chance.choice((0, 0, 1, 3))):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        exchanges.add(reader.feed(chunk.direction, positions[chunk.direction], bytes(data), chunk.time))
        positions[chunk.direction] += len(data)
    exchanges.add(reader.close(1))
    assert exchanges.close(1) == []


@settings(max_examples=60)
@given(st.sampled_from(SMALL), st.data())
def test_joining_late_anywhere_gives_only_true_requests(path: Path, data: st.DataObject) -> None:
    fed = chunks(path)
    sizes = [sum(len(chunk.data) for chunk in fed if chunk.direction == direction) for direction in Direction]
    late = behind(fed, [data.draw(st.integers(0, size)) for size in sizes])
    true = {event.exchange: event.target for event in events_of(fed) if isinstance(event, Request)}
    for event in events_of(late):
        if isinstance(event, Request):
            assert event.target in (None, true[event.exchange])


def test_a_busy_connection_joined_late_is_read_on(path: Path | None = None) -> None:
    path = SHARED / "go-scheduler-protobuf.1.jsonl.gz"
    if not path.exists():
        pytest.skip("shared/fixtures is not here")
    fed = chunks(path)
    requests = [event for event in events_of(fed) if isinstance(event, Request)]
    answers = [event for event in events_of(fed) if isinstance(event, Response)]
    late = events_of(behind(fed, [requests[1].exchange, answers[0].position + answers[0].size]))
    found = [event for event in late if isinstance(event, Request)]
    assert [event.exchange for event in found] == [event.exchange for event in requests[1:]]
    assert all(event.method in (None, true.method) for event, true in zip(found, requests[1:], strict=True))
    assert sum(event.target is not None for event in found) > 45
    assert sum(event.status is not None for event in late if isinstance(event, Response)) > 45
    assert [event.direction for event in late if isinstance(event, Resumed)] == [OUT, IN] or len(found) == len(requests) - 1


def test_the_preface_decides_however_it_is_cut() -> None:
    pieces = Peers().pieces
    single = [(direction, data[at : at + 1]) for direction, data in pieces for at in range(len(data))]
    reader = StreamReader()
    assert read(reader, single) == []
    assert isinstance(reader._reader, Http2Reader)
    reader = StreamReader()
    reader.feed(OUT, 0, b"PRI", 1)
    assert reader._reader is None
    reader.feed(OUT, 3, b"VATE / HTTP/1.1\r\n", 1)
    assert isinstance(reader._reader, Http1Reader)


def test_a_server_that_is_seen_first_decides_too() -> None:
    for begin, kind in ((OK, Http1Reader), (struct.pack(">HBBBL", 0, 6, 4, 0, 0), Http2Reader)):
        reader = StreamReader()
        reader.feed(IN, 0, begin, 1)
        assert isinstance(reader._reader, kind)


def test_a_hole_in_the_preface_is_joined_late_as_http2() -> None:
    reader = StreamReader()
    reader.feed(OUT, 0, PREFACE[:10], 1)
    reader.lose(OUT, 14, 1, "ring full")
    assert isinstance(reader._reader, Http2Reader)


def test_a_stream_that_is_no_http_is_unreadable_once_in_constant_memory() -> None:
    noise = bytes(range(128, 256)) * 512
    for start in (0, 1000):
        reader, events, position = StreamReader(), list[Event](), start
        tracemalloc.start()
        for _ in range(100):
            events += reader.feed(OUT, position, noise, 1) + reader.feed(IN, position, noise, 1)
            position += len(noise)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        events += reader.close(2)
        assert [type(event) for event in events if not isinstance(event, Lost)] == [Unreadable]
        assert peak < 8 * UNDECIDED_LIMIT


def test_websocket_messages_follow_an_upgrade_in_the_same_read() -> None:
    ask, answer = upgrade(b"websocket", b"v5.channel.k8s.io")
    frame = b"\x82\x03\x01hi"
    events = read(StreamReader(), [(OUT, ask), (IN, answer + frame[:2]), (IN, frame[2:])])
    message = next(event for event in events if isinstance(event, Message))
    assert (message.exchange, message.direction, message.data) == (0, IN, b"\x01hi")


def test_client_bytes_before_the_101_belong_to_the_new_protocol() -> None:
    ask, answer = upgrade(b"websocket")
    masked = b"\x82\x82\0\0\0\0\0x"
    events = read(StreamReader(), [(OUT, ask + masked), (IN, answer)])
    assert [event.data for event in events if isinstance(event, Message)] == [b"\0x"]
    assert not [event for event in events if isinstance(event, Unreadable | Ambiguous)]


@EVERY
def test_what_is_told_of_channels_follows_what_came(path: Path) -> None:
    reader, before, came = StreamReader(), 0, 0
    for chunk in chunks(path):
        reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time)
        came = chunk.position + len(chunk.data) if chunk.direction is OUT else came
        if (told := reader.told) is not None:
            assert before <= told <= came
            before = told
    assert before in (0, came), "no client was cut off within a message"


def test_of_a_frame_that_is_not_whole_nothing_is_told() -> None:
    for subprotocol, frame in ((b"v5.channel.k8s.io", b"\x82\x83\0\0\0\0\0hi"), (b"SPDY/3.1+portforward.k8s.io", SPDY_IN_MESSAGES)):
        ask, answer = upgrade(b"websocket", subprotocol)
        reader = StreamReader()
        reader.feed(OUT, 0, ask, 1)
        assert reader.told is None
        reader.feed(IN, 0, answer, 1)
        for at in range(len(frame)):
            assert reader.told == len(ask)
            reader.feed(OUT, len(ask) + at, frame[at : at + 1], 1)
        assert reader.told == len(ask) + len(frame)


def test_an_unknown_protocol_stays_opaque() -> None:
    ask, answer = upgrade(b"mystery/2")
    events = read(StreamReader(), [(OUT, ask + b"to"), (IN, answer + b"fro")])
    assert [bytes(event.data) for direction in (OUT, IN) for event in of(events, direction) if isinstance(event, Data)] == [b"to", b"fro"]
    assert [event.complete for event in events if isinstance(event, End)][-2:] == [True, True]


def test_an_upgraded_stream_goes_on_from_a_mark() -> None:
    ask, answer = upgrade(b"websocket", b"v5.channel.k8s.io")
    reader = StreamReader()
    reader.feed(OUT, 0, ask, 1)
    reader.feed(IN, 0, answer + b"\x82\x02\x01a", 1)
    mark = msgpack.unpackb(msgpack.packb(reader.mark()))
    assert mark["positions"] == [len(ask), len(answer) + 4]
    (message,) = StreamReader.restore(mark).feed(IN, len(answer) + 4, b"\x82\x02\x01b", 2)
    assert isinstance(message, Message)
    assert message.data == b"\x01b"


def test_marks_before_and_without_a_decision_can_be_restored() -> None:
    assert StreamReader.restore(StreamReader().mark() or {}).feed(OUT, 0, GET, 1)
    reader = StreamReader()
    reader.feed(OUT, 7, b"\xff" * (UNDECIDED_LIMIT + 1), 1)
    assert StreamReader.restore(reader.mark() or {}).feed(OUT, 0, GET, 1) == []


def test_a_stream_that_was_never_decided_says_so_at_the_close() -> None:
    reader = StreamReader()
    reader.feed(OUT, 0, b"PRI", 1)
    (event,) = reader.close(2)
    assert isinstance(event, Unreadable)
    assert StreamReader().close(1) == []


@pytest.mark.parametrize("kind", ["one large body", "many small exchanges"])
def test_reading_is_linear_and_bodies_are_not_kept(kind: str) -> None:
    frame = struct.pack(">HBBBL", 64, 0, 0, 0, 1) + b"x" * 16_384
    began = clock.process_time()
    reader, position = StreamReader(), 0
    if kind == "one large body":
        peers = Peers()
        peers.ask(1)
        peers.server.send_headers(1, [(":status", "200")])
        peers.pump()
        events = [event for direction, data in _placed(peers) for event in reader.feed(direction, *data, 1)]
        position = len(peers.both()[1])
        tracemalloc.start()
        for _ in range(1000):
            events = reader.feed(IN, position, frame, 1)
            position += len(frame)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (len(events), peak < 1_000_000) == (1, True)
    else:
        for _ in range(3000):
            events = reader.feed(OUT, position, GET, 1) + reader.feed(IN, position // len(GET) * len(OK), OK, 1)
            position += len(GET)
        assert len(events) == 5
    assert clock.process_time() - began < 10


def _placed(peers: Peers) -> list[tuple[Direction, tuple[int, bytes]]]:
    positions, placed = [0, 0], []
    for direction, data in peers.pieces:
        placed.append((direction, (positions[direction], data)))
        positions[direction] += len(data)
    return placed


def test_a_closed_channel_is_no_surprise() -> None:
    ask, answer = upgrade(b"websocket", b"v5.channel.k8s.io")
    events = read(StreamReader(), [(OUT, ask), (IN, answer + b"\x88\x02\x03\xe8")])
    assert [event.code for event in events if isinstance(event, Closed)] == [1000]
