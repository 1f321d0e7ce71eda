"""WebSocket frames: RFC 6455's own examples, wsproto as an independent peer, holes, limits, and bytes that are none."""

import os
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import assert_chunking_invariant, cuts, every_byte, read, recut
from support.upgrades import load
from wsproto.frame_protocol import FrameProtocol, Opcode

from chaperone.collector.wire.events import Closed, End, Event, Lost, Message, Resumed, Unreadable
from chaperone.collector.wire.gather import PART_LIMIT
from chaperone.collector.wire.websocket import FRAME_LIMIT, NO_STATUS, WebSocketReader, unmask
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN


def reader() -> WebSocketReader:
    return WebSocketReader(7, (0, 0))


def frame(payload: bytes, first: int = 0x82, key: bytes = b"") -> bytes:
    """A frame by hand: the shortest length form, masked when there is a key."""
    bit = 0x80 if key else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 65536:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    return head + key + bytes(byte ^ key[i % 4] if key else byte for i, byte in enumerate(payload))


def fed(*pieces: tuple[Direction, bytes]) -> list[Event]:
    return read(reader(), pieces)


def messages(events: list[Event]) -> list[tuple[Direction, bool, bytes]]:
    return [(event.direction, event.text, event.data) for event in events if isinstance(event, Message)]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize(
    ("sent", "text", "data"),  # RFC 6455 §5.7
    [
        ("81 05 48 65 6c 6c 6f", True, b"Hello"),
        ("81 85 37 fa 21 3d 7f 9f 4d 51 58", True, b"Hello"),
        ("01 03 48 65 6c 80 02 6c 6f", True, b"Hello"),
        ("82 7E 0100" + "61" * 256, False, b"a" * 256),
        ("82 7F 0000000000010000" + "62" * 65536, False, b"b" * 65536),
    ],
)
@pytest.mark.parametrize("direction", [OUT, IN])
def test_the_examples_of_the_standard_are_read_in_either_direction(direction: Direction, sent: str, text: bool, data: bytes) -> None:
    assert messages(fed((direction, bytes.fromhex(sent)))) == [(direction, text, data)]


def test_control_frames_between_fragments_are_passed_over() -> None:
    sent = frame(b"one", 0x02) + frame(b"ping", 0x89) + frame(b"two", 0x00) + frame(b"", 0x8A) + frame(b"three", 0x80)
    events = fed((IN, sent))
    assert messages(events) == [(IN, False, b"onetwothree")]
    assert [(event.size, event.fragmented) for event in events if isinstance(event, Message)] == [(len(sent), True)]


def test_a_message_in_one_frame_is_not_fragmented_however_it_is_cut() -> None:
    events = read(reader(), every_byte([(IN, frame(b"\x01one"))]))
    assert [event.fragmented for event in events if isinstance(event, Message)] == [False]


@pytest.mark.parametrize(
    ("body", "code", "reason"), [(b"\x03\xe8", 1000, ""), (b"\x03\xe9bye", 1001, "bye"), (b"", NO_STATUS, ""), (b"\xff", NO_STATUS, "")]
)
def test_a_close_is_said_with_code_and_reason(body: bytes, code: int, reason: str) -> None:
    events = fed((OUT, frame(body, 0x88, b"abcd")))
    assert events[0] == Closed(7, OUT, 0, 1, code, reason, 6 + len(body))
    assert End(7, OUT, 6 + len(body), 1) in events


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\xc2\x00", "reserved bit"),
        (b"\x83\x00", "opcode 3"),
        (b"\x8b\x00", "opcode 11"),
        (b"\x09\x00", "control frame in fragments"),
        (b"\x89\x7e\x00\x7e", "above 125"),
        (b"\x80\x00", "without a message"),
        (frame(b"a", 0x02) + frame(b"b", 0x82), "inside another"),
        (frame(b"", 0x88) + b"\x82", "behind a close"),
        (b"\x82\x7f" + (FRAME_LIMIT + 1).to_bytes(8, "big"), f"above {FRAME_LIMIT}"),
    ],
)
def test_what_the_standard_forbids_ends_one_direction_and_not_the_other(sent: bytes, reason: str) -> None:
    events = fed((IN, sent + b"garbage" * 3), (OUT, frame(b"well", 0x82, b"1234")))
    (unreadable,) = [event for event in events if isinstance(event, Unreadable)]
    assert unreadable.direction is IN
    assert reason in unreadable.reason
    assert (OUT, False, b"well") in messages(events)
    assert [event.complete for event in events if isinstance(event, End)] == [True, False]


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.integers(0, 9))
@settings(max_examples=60)
def test_unmasking_is_the_standards_exclusive_or(data: bytes, key: bytes, at: int) -> None:
    assert unmask(data, key, at) == bytes(byte ^ key[(at + i) % 4] for i, byte in enumerate(data))


peers = st.lists(
    st.one_of(
        st.tuples(st.just("data"), st.booleans(), st.binary(max_size=200), st.booleans()),
        st.tuples(st.just("ping"), st.just(True), st.binary(max_size=125), st.just(True)),
    ),
    max_size=8,
)


def spoken(client: bool, said: list[tuple[str, bool, bytes, bool]]) -> bytes:
    """What wsproto sends for `said`."""
    protocol = FrameProtocol(client, [])
    frames = []
    for kind, _, data, final in said:
        frames.append(protocol._serialize_frame(Opcode.PING, data) if kind == "ping" else protocol.send_data(data, fin=final))
    return b"".join(map(bytes, frames))


def heard(client: bool, sent: bytes) -> list[bytes]:
    """The whole messages that wsproto's other side understands."""
    protocol = FrameProtocol(client, [])
    protocol.receive_bytes(sent)
    whole, begun = [], b""
    for got in protocol.received_frames():
        if got.opcode is not Opcode.PING:
            begun += bytes(got.payload)
            if got.message_finished:
                whole.append(begun)
                begun = b""
    return whole


@given(said=peers, client=st.booleans(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_an_independent_peer_is_understood_however_its_bytes_are_cut(said: Any, client: bool, data: st.DataObject) -> None:
    sent = spoken(client, said)
    direction = OUT if client else IN
    events = assert_chunking_invariant(reader, [(direction, sent)], data.draw(cuts(len(sent))))
    assert [event.data for event in events if isinstance(event, Message) and event.final] == heard(not client, sent)
    assert sum(getattr(event, "size", 0) for event in events) == len(sent)


@pytest.mark.parametrize("name", ["kubectl-exec-ws.2", "kubectl-exec-ws-tty.2", "kubectl-cp.2", "node-ws"])
def test_recordings_read_the_same_byte_by_byte(name: str) -> None:
    upgrade = load(name)
    lines = list(upgrade.lines)
    whole = read(upgrade.reader(), lines, upgrade.positions)
    assert read(upgrade.reader(), every_byte(lines), upgrade.positions) == whole
    assert not [event for event in whole if isinstance(event, Unreadable | Lost)]
    assert all(event.complete for event in whole if isinstance(event, End))


def test_a_hole_in_a_payload_is_marked_and_the_next_frame_read() -> None:
    sent = frame(b"\x01" + b"a" * 50 + b"b" * 50, 0x82, b"key!") + frame(b"\x01next", 0x82, b"KEY?")
    events = read_with_hole(sent, 40, 30)
    parts = [event for event in events if isinstance(event, Message)]
    assert [(part.data, part.offset, part.final) for part in parts] == [
        (b"\x01" + b"a" * 33, 0, False),
        (b"b" * 37, 64, True),
        (b"\x01next", 0, True),
    ]
    assert Lost(7, OUT, 40, 30, 1, "gone") in events
    assert not [event for event in events if isinstance(event, Unreadable)]
    assert sum(getattr(event, "size", 0) for event in events) == len(sent)


def test_a_jump_of_the_position_is_a_hole() -> None:
    sent = frame(b"\x01" + b"a" * 20)
    channel = reader()
    events = channel.feed(IN, 0, sent[:10], 1) + channel.feed(IN, 15, sent[15:], 2)
    assert [event.size for event in events if isinstance(event, Lost)] == [5]
    assert [event.data for event in events if isinstance(event, Message)] == [b"\x01" + b"a" * 7, b"a" * 8]


def test_bytes_that_came_before_are_skipped() -> None:
    sent = frame(b"\x01abc") + frame(b"\x01def")
    channel = reader()
    events = channel.feed(IN, 0, sent, 1) + channel.feed(IN, 0, sent, 2) + channel.feed(IN, 3, sent[3:] + frame(b"\x01ghi"), 3)
    assert [data for _, _, data in messages(events)] == [b"\x01abc", b"\x01def", b"\x01ghi"]


def read_with_hole(sent: bytes, at: int, size: int, direction: Direction = OUT) -> list[Event]:
    channel = reader()
    events = channel.feed(direction, 0, sent[:at], 1) + channel.lose(direction, size, 1, "gone")
    return events + channel.feed(direction, at + size, sent[at + size :], 1) + channel.close(1)


@pytest.mark.parametrize("key", [b"", b"\x81\x82\x05\x82"])
def test_behind_a_hole_in_a_head_frames_are_found_again_and_it_is_said_why(key: bytes) -> None:
    direction = OUT if key else IN
    sent = [frame(b"\x02" + bytes([65 + i]) * 30, 0x82, key) for i in range(6)]
    events = read_with_hole(b"".join(sent), len(sent[0]) + 1, 10, direction)
    assert kinds(events)[:4] == ["Message", "Lost", "Unreadable", "Resumed"]
    assert [message[1:2] for _, _, message in messages(events)] == [b"A", b"C", b"D", b"E", b"F"]
    (resumed,) = [event for event in events if isinstance(event, Resumed)]
    assert resumed.position == 2 * len(sent[0])
    assert "in a row" in resumed.evidence


def test_nothing_is_believed_behind_a_hole_that_is_not_two_frames_in_a_row() -> None:
    noise = b"\x82\x05\x01" + bytes(range(32, 120)) * 20
    events = read_with_hole(frame(b"\x01a") + noise, 1, 1, IN)
    assert "Resumed" not in kinds(events)
    assert messages(events) == []


@given(st.binary(max_size=400), st.sampled_from([OUT, IN]), st.data())
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise_and_cuts_change_nothing(sent: bytes, direction: Direction, data: st.DataObject) -> None:
    assert_chunking_invariant(reader, [(direction, sent)], data.draw(cuts(len(sent))))


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_hole_anywhere_adds_no_message_that_was_not_sent(payloads: list[bytes], masked: bool, data: st.DataObject) -> None:
    payloads = [b"\x01" + payload for payload in payloads]
    sent = b"".join(frame(payload, 0x82, b"\x11\x22\x33\x44" if masked else b"") for payload in payloads)
    at = data.draw(st.integers(0, len(sent) - 1))
    size = data.draw(st.integers(1, len(sent) - at))
    events = read_with_hole(sent, at, size, OUT if masked else IN)
    whole = [event.data for event in events if isinstance(event, Message) and event.offset == 0 and event.final]
    assert all(message in payloads for message in whole)
    assert sum(event.size for event in events if isinstance(event, Lost)) == size


def test_a_message_above_the_limit_comes_in_parts_and_memory_stays_bounded() -> None:
    size = 5 * PART_LIMIT // 2
    chunk = os.urandom(64 * 1024)
    channel = reader()
    tracemalloc.start()
    position = len(head := b"\x82\x7f" + size.to_bytes(8, "big"))
    parts = [event for event in channel.feed(IN, 0, head, 1) if isinstance(event, Message)]
    lengths: list[tuple[int, int, bool]] = []
    for _ in range(size // len(chunk)):
        parts = [event for event in channel.feed(IN, position, chunk, 1) if isinstance(event, Message)]
        lengths += [(len(part.data), part.offset, part.final) for part in parts]
        position += len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lengths == [(PART_LIMIT, 0, False), (PART_LIMIT, PART_LIMIT, False), (PART_LIMIT // 2, 2 * PART_LIMIT, True)]
    assert peak < 4 * PART_LIMIT


def test_a_length_of_2_to_the_31_is_refused_by_name() -> None:
    events = fed((IN, b"\x82\x7f" + (2**31).to_bytes(8, "big") + b"\x01abc"))
    assert [event.reason for event in events if isinstance(event, Unreadable)] == [f"a frame of {2**31} bytes, above {FRAME_LIMIT}"]


def test_looking_for_a_frame_holds_little_and_takes_linear_time() -> None:
    channel = reader()
    channel.lose(IN, 5, 1, "gone")
    tracemalloc.start()
    position = 5
    for _ in range(10):
        channel.feed(IN, position, b"\x82\x7e\xff\xff\x01" + b"\x81\x01" * 32765, 1)
        position += 65535
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


def at_every_border(make: Callable[[], WebSocketReader], sent: bytes) -> int:
    """Save and restore at each byte where a mark can be taken; how many there were."""
    whole = read(make(), [(IN, sent)])
    marks = 0
    for cut in range(len(sent) + 1):
        first = make()
        events = first.feed(IN, 0, sent[:cut], 1)
        mark = first.mark()
        if mark is None:
            continue
        marks += 1
        second = WebSocketReader.restore(msgpack.unpackb(msgpack.packb(mark)))
        position = mark["sides"][1]["position"]
        events += second.feed(IN, position, sent[position:], 1) + second.close(1)
        assert events == whole
    return marks


def test_a_mark_between_messages_goes_on_with_the_same_events() -> None:
    sent = frame(b"\x01a") + frame(b"\x01frag", 0x02) + frame(b"ment", 0x80) + frame(b"", 0x89) + frame(b"\x03\xe8", 0x88)
    assert at_every_border(reader, sent) >= 4


def test_no_mark_is_given_inside_a_message() -> None:
    channel = reader()
    channel.feed(IN, 0, frame(b"\x01frag", 0x02), 1)
    assert channel.mark() is None


def test_a_recut_of_nothing_is_nothing() -> None:
    assert recut([(IN, b"")], [1]) == [(IN, b"")]
