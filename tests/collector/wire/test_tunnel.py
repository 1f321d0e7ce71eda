"""SPDY inside WebSocket: a recording, borders of messages anywhere, and holes in either layer."""

import tracemalloc
from random import Random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import cuts, every_byte, read, recut
from support.upgrades import load
from wsproto.frame_protocol import FrameProtocol

from chaperone.collector.wire.events import Closed, End, Event, Lost, StrandData, StrandOpened, Unreadable
from chaperone.collector.wire.spdy import SpdyReader
from chaperone.collector.wire.tunnel import SpdyInWebSocketReader
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
RECORDED = "kubectl-portforward-ws.2"


def strands(events: list[Event]) -> list[tuple[str, int, object]]:
    """What was said of strands, without positions, data of a strand joined."""
    said: list[tuple[str, int, object]] = []
    for event in events:
        if isinstance(event, StrandOpened):
            said.append(("opened", event.strand, event.headers))
        elif isinstance(event, StrandData) and said and said[-1][:2] == ("data", event.strand):
            said[-1] = ("data", event.strand, said[-1][2] + bytes(event.data))  # type: ignore[operator]
        elif isinstance(event, StrandData):
            said.append(("data", event.strand, bytes(event.data)))
    return said


def test_a_recording_reads_the_same_byte_by_byte() -> None:
    upgrade = load(RECORDED)
    lines = list(upgrade.lines)
    whole = read(upgrade.reader(), lines, upgrade.positions)
    assert read(upgrade.reader(), every_byte(lines), upgrade.positions) == whole
    assert [event.complete for event in whole if isinstance(event, End)] == [True, True]
    assert not [event for event in whole if isinstance(event, Unreadable | Lost)]


def test_positions_are_those_of_the_messages_on_the_stream() -> None:
    upgrade = load(RECORDED)
    events = read(upgrade.reader(), upgrade.lines, upgrade.positions)
    ends = {direction: upgrade.positions[direction] for direction in Direction}
    for direction, data in upgrade.lines:
        ends[direction] += len(data)
    placed = [event for event in events if isinstance(event, StrandOpened | StrandData | End)]
    assert all(upgrade.positions[event.direction] <= event.position <= ends[event.direction] for event in placed)


def test_no_two_frames_in_one_message_share_a_position() -> None:
    inner = b"".join((3).to_bytes(4, "big") + b"\0\0\0\4" + f"line{i}"[:4].encode() for i in range(5))
    events = read_apart(SpdyInWebSocketReader(0, (100, 0)), b"".join(wrapped([inner[:10], inner[10:]])))
    assert [event.position for event in events if isinstance(event, StrandData)] == [116, 118, 130, 142, 154]


def read_apart(reader: SpdyInWebSocketReader, sent: bytes) -> list[Event]:
    return reader.feed(OUT, 100, sent, 1)


def spdy_lines() -> list[bytes]:
    return [data for direction, data in load("kubectl-exec-spdy-stdin.2").lines if direction is OUT]


def wrapped(pieces: list[bytes]) -> list[bytes]:
    """Each piece as a message of a client, by an independent peer; the masks are always the same."""
    client, random = FrameProtocol(True, []), Random(1)
    with patch("wsproto.frame_protocol.os.urandom", random.randbytes):
        return [bytes(client.send_data(piece)) for piece in pieces]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_borders_of_messages_mean_nothing(data: st.DataObject) -> None:
    sent = b"".join(spdy_lines())
    plain = read(SpdyReader(0, (0, 0)), [(OUT, sent)])
    pieces = [piece for _, piece in recut([(OUT, sent)], data.draw(cuts(len(sent))))]
    outer = b"".join(wrapped([b"", *pieces]))
    tunnelled = read(SpdyInWebSocketReader(0, (0, 0)), recut([(OUT, outer)], data.draw(cuts(len(outer)))))
    assert strands(tunnelled) == strands(plain)
    assert sum(getattr(event, "size", 0) for event in tunnelled if not isinstance(event, StrandData)) <= len(outer)


def test_a_hole_inside_forwarded_bytes_is_said_once_and_the_rest_read() -> None:
    payload = b"a" * 50 + b"b" * 50
    inner = (1).to_bytes(4, "big") + b"\0" + len(payload).to_bytes(3, "big") + payload
    outer = b"".join(wrapped([inner, (1).to_bytes(4, "big") + b"\0\0\0\4next"]))
    reader = SpdyInWebSocketReader(0, (0, 0))
    at = 6 + 8 + 30
    events = reader.feed(OUT, 0, outer[:at], 1) + reader.lose(OUT, 40, 1, "gone") + reader.feed(OUT, at + 40, outer[at + 40 :], 1)
    assert [bytes(event.data) for event in events if isinstance(event, StrandData)] == [b"a" * 30, b"b" * 30, b"next"]
    assert [event.size for event in events if isinstance(event, Lost)] == [40]


def test_a_hole_in_the_outer_frames_makes_the_inner_ones_unreadable_until_both_are_found() -> None:
    lines = [(1).to_bytes(4, "big") + b"\0\0\0\5" + f"line{i}".encode() for i in range(8)]
    sent = wrapped(lines)
    outer = b"".join(sent)
    at = len(sent[0]) + 1
    reader = SpdyInWebSocketReader(0, (0, 0))
    events = reader.feed(OUT, 0, outer[:at], 1) + reader.lose(OUT, 10, 1, "") + reader.feed(OUT, at + 10, outer[at + 10 :], 1)
    assert [bytes(event.data) for event in events if isinstance(event, StrandData)] == [b"line%d" % i for i in (0, 2, 3, 4, 5, 6, 7)]
    assert [type(event).__name__ for event in events[1:6]] == ["Lost", "Unreadable", "Unreadable", "Resumed", "Resumed"]


def test_a_close_is_said_and_half_a_strand_handed_over() -> None:
    reader = SpdyInWebSocketReader(0, (0, 0))
    client = FrameProtocol(True, [])
    sent = bytes(client.send_data((1).to_bytes(4, "big") + b"\0\0\0\x20half")) + bytes(client.close(1000))
    events = read(reader, [(OUT, sent)])
    assert [type(event).__name__ for event in events] == ["Closed", "StrandData", "End", "End"]
    assert [event.code for event in events if isinstance(event, Closed)] == [1000]
    assert [event.complete for event in events if isinstance(event, End)] == [False, True]
    assert sum(getattr(event, "size", 0) for event in events) == len(sent)


def messages(data: bytes) -> bytes:
    """A masked one for each byte."""
    return b"".join(b"\x82\x81\0\0\0\0" + data[at : at + 1] for at in range(len(data)))


def test_a_frame_over_many_messages_costs_its_own_bytes() -> None:
    reader, sent = SpdyInWebSocketReader(0, (0, 0)), messages(b"\0\0\0\1\0\4\0\0" + bytes(20_000))
    tracemalloc.start()
    try:
        reader.feed(OUT, 0, sent, 1)
        assert reader.told == 0 and tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()


def test_where_frames_cannot_be_read_nothing_is_waited_for() -> None:
    """Nothing that follows will be in an event: all of it was told, and nothing of it is kept."""
    for told in (b"\x80\2\0\1\0\0\0\0", b"\x80\3\0\1\0\0\0\0"):  # another version, a size that its type forbids
        reader, sent = SpdyInWebSocketReader(0, (0, 0)), messages(told + bytes(100))
        assert [type(event) for event in reader.feed(OUT, 0, sent, 1)] == [Unreadable]
        assert reader.told == len(sent)


def test_it_gives_no_mark() -> None:
    assert SpdyInWebSocketReader(0, (0, 0)).mark() is None


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_no_bytes_and_no_hole_raise(data: bytes, at: int, size: int) -> None:
    reader = SpdyInWebSocketReader(0, (0, 0))
    outer = b"".join(wrapped([data]))
    reader.feed(OUT, 0, outer[:at], 1)
    reader.lose(OUT, size, 1, "")
    reader.feed(OUT, at + size, outer[at + size :], 1)
    reader.feed(IN, 0, data, 1)
    reader.close(1)
