"""One direction of a framed protocol, with a protocol of its own: a length byte, then as many bytes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.events import End, Event, Lost, Resumed, StrandData, Unreadable
from chaperone.collector.wire.framed import SEEK_LIMIT, TORN, Framed, Parsing, State
from chaperone.collector.wire.gather import Parts
from chaperone.proto.records import Direction


class Counted:
    """`#`, a length, then that many bytes; a length of 255 is none."""

    hint = re.compile(rb"#")
    evidence = "two in a row"

    def __init__(self, position: int = 0) -> None:
        self.framed = Framed(1, Direction.IN, position)
        self.parts: Parts | None = None
        self.framed.start(self)

    def frame(self) -> Parsing:
        position = self.framed.buffer.position
        mark, size = yield from self.framed.buffer.exactly(2)
        if mark != ord("#") or size == 255:
            raise Malformed("no frame")
        if size == 254:
            yield from self.all_or_nothing()
            return
        self.parts = Parts(self.framed.buffer, position, self.say)
        yield from self.framed.payload(size, self.parts)
        self.parts.flush(final=True)
        self.parts = None

    def all_or_nothing(self) -> Parsing:
        try:
            yield from self.framed.buffer.exactly(10)
        except Hole as hole:
            yield from self.framed.bridge(hole, 10)

    def say(self, position: int, data: bytes, offset: int, final: bool) -> None:
        self.framed.say(StrandData(1, Direction.IN, position, self.framed.time, 0, data, final, self.framed.account()))

    def plausible(self, held: bytearray, at: int) -> int | None:
        if len(held) < at + 2:
            return None
        return at + 2 + held[at + 1] if held[at] == ord("#") and held[at + 1] < 254 else 0

    def forget(self) -> bool:
        parts, self.parts = self.parts, None
        if parts:
            parts.flush(final=False)
        return parts is not None


def framed(position: int = 0) -> Framed:
    return Counted(position).framed


def frames(*payloads: bytes) -> bytes:
    return b"".join(b"#" + bytes([len(payload)]) + payload for payload in payloads)


def said(events: list[Event]) -> list[bytes]:
    return [bytes(event.data) for event in events if isinstance(event, StrandData)]


def test_positions_and_times_are_those_of_the_stream() -> None:
    one = framed(100)
    sent = frames(b"one", b"two")
    events = one.feed(100, sent[:7], 1) + one.feed(107, sent[7:], 2) + one.close(3)
    assert events == [
        StrandData(1, Direction.IN, 100, 1, 0, b"one", True, 5),
        StrandData(1, Direction.IN, 105, 2, 0, b"two", True, 5),
        End(1, Direction.IN, 110, 3, True, 0),
    ]


def test_a_direction_cut_inside_a_frame_ends_incomplete_and_hands_over_what_came() -> None:
    one = framed()
    one.feed(0, frames(b"whole")[:4], 1)
    events = one.close(2)
    assert said(events) == [b"wh"]
    assert events[-1] == End(1, Direction.IN, 4, 2, False, 0)


def test_half_a_head_ends_incomplete_too() -> None:
    one = framed()
    one.feed(0, b"#", 1)
    assert one.close(2) == [End(1, Direction.IN, 1, 2, False, 1)]


def test_a_hole_up_to_the_end_of_a_payload_needs_no_search() -> None:
    one = framed()
    sent = frames(b"abcdef", b"next")
    events = one.feed(0, sent[:5], 1) + one.lose(3, 1, "gone") + one.feed(8, sent[8:], 1)
    assert said(events) == [b"abc", b"", b"next"]
    assert [event for event in events if isinstance(event, Lost)] == [Lost(1, Direction.IN, 5, 3, 1, "gone")]
    assert not [event for event in events if isinstance(event, Unreadable)]


def test_a_hole_beyond_a_payload_is_searched_across() -> None:
    one = framed()
    sent = frames(b"abcdef", b"lost", b"found", b"again")
    events = one.feed(0, sent[:5], 1) + one.feed(9, sent[9:], 2)
    assert said(events) == [b"abc", b"found", b"again"]
    assert [event.reason for event in events if isinstance(event, Unreadable)] == [TORN]
    assert [(event.position, event.evidence) for event in events if isinstance(event, Resumed)] == [(14, "two in a row")]


def test_a_second_hole_while_searching_is_only_lost() -> None:
    one = framed()
    events = one.lose(5, 1, "") + one.feed(5, b"noise", 1) + one.lose(5, 1, "") + one.feed(15, frames(b"a", b"b"), 1)
    assert [type(event).__name__ for event in events] == ["Lost", "Unreadable", "Lost", "Resumed", "StrandData", "StrandData"]


def test_a_bridged_hole_waits_for_the_rest_of_what_it_tore() -> None:
    one = framed()
    events = one.feed(0, b"#\xfe123", 1) + one.lose(4, 1, "") + one.feed(9, b"XXX" + frames(b"next"), 1)
    assert said(events) == [b"next"]


def test_behind_unreadable_bytes_nothing_is_parsed_or_held_but_loss_still_said() -> None:
    one = framed()
    events = one.feed(0, b"!!" + frames(b"never"), 1)
    assert [type(event).__name__ for event in events] == ["Unreadable"]
    assert one.feed(one.end, bytes(1000), 1) == []
    assert not one.buffer.held
    assert [event.size for event in one.lose(7, 1, "") if isinstance(event, Lost)] == [7]
    assert one.tear(1) == []
    assert one.close(1)[-1] == End(1, Direction.IN, 1016, 1, False, 1009)


def test_what_is_held_while_searching_is_limited() -> None:
    one = framed()
    one.lose(1, 1, "")
    position = 1
    for _ in range(5):
        one.feed(position, b"#\xf0" + b"#" * (SEEK_LIMIT // 2), 1)
        position = one.end
        assert len(one.buffer.held) <= SEEK_LIMIT + SEEK_LIMIT // 2


def test_it_is_between_frames_only_where_nothing_of_one_is_claimed() -> None:
    one = framed()
    assert one.between
    one.feed(0, frames(b"abc")[:3], 1)
    assert not one.between
    one.feed(3, frames(b"abc")[3:], 1)
    assert one.between


def test_it_goes_on_in_a_saved_state() -> None:
    counted = Counted()
    counted.framed.start(counted, State.SEEKING)
    events = counted.framed.feed(0, b"noise" + frames(b"a", b"b"), 1)
    assert said(events) == [b"a", b"b"]
    counted.framed.start(counted, State.OVER)
    assert counted.framed.feed(counted.framed.end, frames(b"a"), 1) == []


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(-3, 5)), max_size=8))
def test_no_order_of_bytes_holes_and_repeats_raises(steps: list[tuple[bytes, int]]) -> None:
    one = framed()
    for data, shift in steps:
        one.feed(max(one.end + shift, 0), data, 1)
        one.lose(shift, 1, "")
    one.close(1)
