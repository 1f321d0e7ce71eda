"""The two forms of a WebSocket message."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.channel_events import message

from chaperone.collector.kube.upgrade.coding import FRAGMENTS, NOT_BASE64, Coding
from chaperone.proto.records import Direction

BASE64 = "v4.base64.channel.k8s.io"


def test_a_binary_message_is_a_channel_and_its_bytes() -> None:
    channel, content = Coding("v4.channel.k8s.io", channels=True).read(message(b"\x02err"))
    assert (channel, content.data, content.doubts) == (2, b"err", ())


def test_a_base64_message_is_a_digit_and_text() -> None:
    channel, content = Coding(BASE64, channels=True).read(message(b"1" + base64.b64encode(b"\xffout")))
    assert (channel, content.data) == (1, b"\xffout")


def test_a_log_has_no_channel() -> None:
    assert Coding("binary.k8s.io", channels=False).read(message(b"line"))[1].data == b"line"
    assert Coding("base64.binary.k8s.io", channels=False).read(message(base64.b64encode(b"line")))[1].data == b"line"


def test_an_empty_message_has_no_channel() -> None:
    assert Coding("", channels=True).read(message(b""))[0] is None


def test_line_ends_in_base64_are_passed_over_as_go_does() -> None:
    sent = b"0" + base64.b64encode(b"a longer line").replace(b"b", b"\r\nb")
    assert Coding(BASE64, channels=True).read(message(sent))[1].data == b"a longer line"


@pytest.mark.parametrize(
    ("subprotocol", "direction", "doubts"),
    [
        ("v4.channel.k8s.io", Direction.OUT, (FRAGMENTS,)),
        ("", Direction.OUT, (FRAGMENTS,)),
        ("v5.channel.k8s.io", Direction.OUT, ()),
        ("v4.channel.k8s.io", Direction.IN, ()),
    ],
)
def test_what_a_client_sends_in_fragments_is_doubted_before_v5(subprotocol: str, direction: Direction, doubts: tuple[str, ...]) -> None:
    sent = replace(message(b"\x00rm", direction), fragmented=True)
    assert Coding(subprotocol, channels=True).read(sent)[1].doubts == doubts


def test_what_is_not_base64_is_kept_and_doubted() -> None:
    channel, content = Coding(BASE64, channels=True).read(message(b"1no base64!"))
    assert (channel, content.data, content.doubts) == (1, b"no base64!", (NOT_BASE64,))


@given(st.binary(max_size=100), st.integers(0, 140))
def test_a_base64_message_in_parts_loses_nothing(payload: bytes, cut: int) -> None:
    sent = b"1" + base64.b64encode(payload)
    cut = min(cut, len(sent) - 1) or 1
    coding = Coding(BASE64, channels=True)
    parts = [coding.read(message(sent[:cut], final=False)), coding.read(message(sent[cut:], offset=cut))]
    assert b"".join(content.data for _, content in parts) == payload
    assert [channel for channel, _ in parts] == [1, 1]


@given(st.integers(2, 60), st.integers(1, 30))
def test_behind_a_hole_base64_goes_on_at_the_next_whole_group(at: int, size: int) -> None:
    payload = bytes(range(90))
    sent = b"0" + base64.b64encode(payload)
    coding = Coding(BASE64, channels=True)
    _, before = coding.read(message(sent[:at], final=False))
    channel, behind = coding.read(message(sent[at + size :], offset=at + size))
    assert channel == 0
    assert payload.startswith(before.data)
    assert payload.endswith(behind.data)
    assert len(before.data) + len(behind.data) >= 90 - size - 6


def test_a_message_whose_beginning_was_never_seen_has_no_channel() -> None:
    coding = Coding("", channels=True)
    coding.read(message(b"\x01before"))
    assert coding.read(message(b"rest", offset=-1))[0] is None


def test_directions_do_not_mix() -> None:
    coding = Coding("", channels=True)
    coding.read(message(b"\x00in", Direction.OUT, final=False))
    coding.read(message(b"\x01out", Direction.IN, final=False))
    assert coding.read(message(b"put", Direction.OUT, offset=3))[0] == 0
