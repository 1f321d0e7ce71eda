"""SPDY frames: recordings, node's spdy-transport, holes, joining late, bombs, and bytes that are none."""

import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.chunking import assert_chunking_invariant, cuts, every_byte, interleavings, of, read
from support.upgrades import NAMES, load

from chaperone.collector.wire.events import Closed, End, Event, Lost, Resumed, StrandData, StrandOpened, StrandReset, Unreadable
from chaperone.collector.wire.gather import PART_LIMIT
from chaperone.collector.wire.spdy import BLOCK_LIMIT, DICTIONARY, HEADERS_LIMIT, STRAND_LIMIT, SpdyReader
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
SPDY_NAMES = ["kubectl-exec-spdy.2", "kubectl-exec-spdy-stdin.2", "node-spdy"]


def reader() -> SpdyReader:
    return SpdyReader(7, (0, 0))


class Peer:
    """One direction's sender: frames with one zlib stream, as spdystream writes them."""

    def __init__(self) -> None:
        self.deflater = zlib.compressobj(zdict=DICTIONARY)

    def opened(self, strand: int, flags: int = 0, **headers: str) -> bytes:
        return control(1, strand.to_bytes(4, "big") + bytes(6) + self.block(headers), flags)

    def block(self, headers: dict[str, str]) -> bytes:
        pairs = [len(headers).to_bytes(4, "big")]
        pairs += [len(text).to_bytes(4, "big") + text.encode() for pair in headers.items() for text in pair]
        return self.deflater.compress(b"".join(pairs)) + self.deflater.flush(zlib.Z_SYNC_FLUSH)


def control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return b"\x80\x03" + kind.to_bytes(2, "big") + bytes([flags]) + len(body).to_bytes(3, "big") + body


def data(strand: int, payload: bytes, end: bool = False) -> bytes:
    return strand.to_bytes(4, "big") + bytes([end]) + len(payload).to_bytes(3, "big") + payload


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def payloads(events: list[Event]) -> list[tuple[int, bytes]]:
    return [(event.strand, bytes(event.data)) for event in events if isinstance(event, StrandData)]


def test_the_dictionary_is_the_one_that_both_ends_have() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@pytest.mark.parametrize("name", SPDY_NAMES)
def test_recordings_read_the_same_byte_by_byte(name: str) -> None:
    upgrade = load(name)
    lines = list(upgrade.lines)
    whole = read(upgrade.reader(), lines, upgrade.positions)
    assert read(upgrade.reader(), every_byte(lines), upgrade.positions) == whole
    assert not [event for event in whole if isinstance(event, Unreadable | Lost)]
    assert all(event.complete for event in whole if isinstance(event, End))


@pytest.mark.parametrize("name", NAMES)
def test_the_sizes_of_events_add_up_to_all_bytes(name: str) -> None:
    upgrade = load(name)
    channel, positions, sizes = upgrade.reader(), list(upgrade.positions), [0, 0]
    for direction, each in upgrade.lines:
        sizes[direction] += sum(getattr(event, "size", 0) for event in channel.feed(direction, positions[direction], each, 1))
        positions[direction] += len(each)
    for event in channel.close(1):
        sizes[event.direction] += event.size  # type: ignore[union-attr]
    assert sizes == [end - begin for begin, end in zip(upgrade.positions, positions, strict=True)]


def test_strands_open_with_their_headers_in_the_order_of_the_client() -> None:
    upgrade = load("kubectl-exec-spdy-stdin.2")
    events = read(upgrade.reader(), upgrade.lines, upgrade.positions)
    opened = [(event.strand, event.headers) for event in events if isinstance(event, StrandOpened)]
    assert opened == [(1 + 2 * i, (("streamtype", name),)) for i, name in enumerate(("error", "stdin", "stdout", "stderr"))]


@pytest.mark.parametrize("name", SPDY_NAMES[:2])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_each_direction_reads_the_same_however_they_are_interleaved(name: str, data: st.DataObject) -> None:
    upgrade = load(name)
    whole = read(upgrade.reader(), upgrade.lines, upgrade.positions)
    out, back = (b"".join(each for way, each in upgrade.lines if way is direction) for direction in Direction)
    mixed = read(upgrade.reader(), data.draw(interleavings(out, back)), upgrade.positions)
    assert all(of(mixed, direction) == of(whole, direction) for direction in Direction)


def test_every_kind_of_frame_is_read_and_only_what_matters_said() -> None:
    peer = Peer()
    number = (1).to_bytes(4, "big")
    sent = [
        control(4, number + bytes(8)),
        peer.opened(1, streamtype="stdin"),
        control(2, number + peer.block({"x": "y"})),
        control(6, number),
        control(8, number + peer.block({"more": "headers"})),
        control(9, number + number),
        control(77, b"unknown"),
        data(1, b"hello"),
        peer.opened(3, flags=1, streamtype="error"),
        control(3, number + (5).to_bytes(4, "big")),
        control(7, number + bytes(4)),
    ]
    events = read(reader(), [(OUT, b"".join(sent))])
    assert kinds(events) == ["StrandOpened", "StrandData", "StrandOpened", "StrandData", "StrandReset", "Closed", "End", "End"]
    assert [event.end for event in events if isinstance(event, StrandData)] == [False, True]
    assert [event.code for event in events if isinstance(event, StrandReset | Closed)] == [5, 0]


def test_a_strand_opened_twice_is_ambiguous() -> None:
    peer = Peer()
    events = read(reader(), [(OUT, peer.opened(3, streamtype="stdin") + peer.opened(3, streamtype="resize") + peer.opened(5, a="b"))])
    assert kinds(events) == ["StrandOpened", "StrandOpened", "Ambiguous", "StrandOpened", "End", "End"]


def test_several_values_of_a_header_are_several_headers() -> None:
    events = read(reader(), [(OUT, Peer().opened(1, Accept="a\0b"))])
    assert isinstance(events[0], StrandOpened)
    assert events[0].headers == (("accept", "a"), ("accept", "b"))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x80\x02\x00\x01\x00\x00\x00\x0a" + bytes(10), "another SPDY version"),
        (data(0, b"x"), "strand 0"),
        (control(3, bytes(7)), "type 3 with 7 bytes"),
        (control(1, bytes(9)), "type 1 with 9 bytes"),
        (control(1, bytes(9) + b"\1" + b"not zlib"), "cannot be inflated"),
        (b"\x80\x03\x00\x01\x00" + (BLOCK_LIMIT + 1).to_bytes(3, "big"), f"above {BLOCK_LIMIT}"),
        (Peer().opened(1, bomb="0" * (HEADERS_LIMIT + 1)), f"above {HEADERS_LIMIT}"),
    ],
)
def test_what_spdystream_would_refuse_ends_one_direction_and_not_the_other(sent: bytes, reason: str) -> None:
    events = read(reader(), [(OUT, sent + b"garbage" * 3), (IN, data(1, b"well"))])
    (unreadable,) = [event for event in events if isinstance(event, Unreadable)]
    assert unreadable.direction is OUT
    assert reason in unreadable.reason
    assert payloads(events) == [(1, b"well")]


@pytest.mark.parametrize("block", [b"\0\0\0\1", b"\0\0\0\1\0\0\0\5ab", b"\xff\xff\xff\xff"])
def test_a_header_block_shorter_than_it_says_is_unreadable(block: bytes) -> None:
    deflater = zlib.compressobj(zdict=DICTIONARY)
    packed = deflater.compress(block) + deflater.flush(zlib.Z_SYNC_FLUSH)
    events = read(reader(), [(OUT, control(1, b"\0\0\0\1" + bytes(6) + packed))])
    assert "shorter than it says" in next(event.reason for event in events if isinstance(event, Unreadable))


def test_a_bomb_takes_little_memory() -> None:
    deflater = zlib.compressobj(9, zdict=DICTIONARY)
    packed = deflater.compress(bytes(50_000_000)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    sent = control(1, b"\0\0\0\1" + bytes(6) + packed)
    channel = reader()
    tracemalloc.start()
    channel.feed(OUT, 0, sent, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * HEADERS_LIMIT


def test_a_large_frame_comes_in_parts_and_only_the_last_one_ends() -> None:
    size = PART_LIMIT + 10
    channel = reader()
    events = channel.feed(IN, 0, (5).to_bytes(4, "big") + b"\1" + size.to_bytes(3, "big") + bytes(size), 1)
    assert [(len(event.data), event.end) for event in events if isinstance(event, StrandData)] == [(PART_LIMIT, False), (10, True)]


def with_hole(sent: bytes, at: int, size: int) -> list[Event]:
    channel = reader()
    events = channel.feed(OUT, 0, sent[:at], 1) + channel.lose(OUT, size, 1, "gone")
    return events + channel.feed(OUT, at + size, sent[at + size :], 1) + channel.close(1)


def test_a_hole_in_data_is_marked_and_the_next_frame_read() -> None:
    sent = Peer().opened(1, streamtype="stdin")
    events = with_hole(sent + data(1, b"a" * 20 + b"b" * 20) + data(1, b"next"), len(sent) + 8 + 10, 20)
    assert payloads(events) == [(1, b"a" * 10), (1, b"b" * 10), (1, b"next")]
    assert "Unreadable" not in kinds(events)


def test_behind_a_hole_in_a_header_block_strands_open_without_headers() -> None:
    peer = Peer()
    first, second = peer.opened(1, streamtype="error"), peer.opened(3, streamtype="stdin")
    events = with_hole(first + second + data(3, b"hello"), len(first) - 5, 3)
    assert [(event.strand, event.headers) for event in events if isinstance(event, StrandOpened)] == [(1, ()), (3, ())]
    assert payloads(events) == [(3, b"hello")]


def test_behind_a_hole_in_a_head_data_of_open_strands_is_found_again() -> None:
    peer = Peer()
    begun = peer.opened(1, streamtype="error") + peer.opened(3, streamtype="stdin")
    frames = [data(3, f"line {i}\n".encode()) for i in range(5)]
    events = with_hole(begun + b"".join(frames), len(begun) + 4, 6)
    assert kinds(events)[2:5] == ["Lost", "Unreadable", "Resumed"]
    assert payloads(events) == [(3, f"line {i}\n".encode()) for i in range(1, 5)]
    assert "two SPDY frames" in next(event.evidence for event in events if isinstance(event, Resumed))


def test_a_reset_or_goaway_with_a_hole_is_not_made_up() -> None:
    sent = Peer().opened(1, streamtype="error")
    events = with_hole(sent + control(3, bytes(3) + b"\1" + bytes(3) + b"\5") + data(1, b"x"), len(sent) + 10, 4)
    assert "StrandReset" not in kinds(events)
    assert payloads(events) == [(1, b"x")]


def test_an_unknown_number_of_missing_bytes_is_a_tear() -> None:
    channel = reader()
    channel.feed(OUT, 0, data(1, b"abcdef")[:10], 1)
    events = channel.tear(OUT, 2)
    assert kinds(events) == ["StrandData", "Unreadable"]


def test_strands_that_are_remembered_are_limited() -> None:
    channel = reader()
    sent = b"".join(data(i, b"") for i in range(1, STRAND_LIMIT + 100))
    channel.feed(OUT, 0, sent, 1)
    assert len(channel._sides[0]._strands) == STRAND_LIMIT


def test_it_gives_no_mark() -> None:
    assert reader().mark() is None


@given(st.binary(max_size=400), st.data())
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise_and_cuts_change_nothing(sent: bytes, draw: st.DataObject) -> None:
    assert_chunking_invariant(reader, [(OUT, sent)], draw.draw(cuts(len(sent))))


@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(0, 255), st.sampled_from(SPDY_NAMES))
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_or_a_hole_anywhere_raises_nothing(at: int, size: int, value: int, name: str) -> None:
    upgrade = load(name)
    sent = bytearray(b"".join(each for way, each in upgrade.lines if way is OUT))
    with_hole(bytes(sent), at % len(sent), size)
    sent[at % len(sent)] = value
    assert_chunking_invariant(reader, [(OUT, bytes(sent))], [at, at + size])


@given(st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_a_hole_anywhere_makes_no_bytes_up(lines: list[bytes], draw: st.DataObject) -> None:
    sent = Peer().opened(3, streamtype="stdin") + b"".join(data(3, b"A" * len(line)) for line in lines)
    at = draw.draw(st.integers(0, len(sent) - 1))
    size = draw.draw(st.integers(1, len(sent) - at))
    events = with_hole(sent, at, size)
    assert all(set(got) <= {65} for strand, got in payloads(events) if strand == 3)
    assert sum(event.size for event in events if isinstance(event, Lost)) == size
