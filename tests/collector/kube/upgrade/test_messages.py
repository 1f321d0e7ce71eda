"""WebSocket messages of each purpose."""

import pytest
from support.channel_events import IN, OUT, message

from chaperone.collector.kube.body import EVENT_LIMIT
from chaperone.collector.kube.call import Form, Piece
from chaperone.collector.kube.upgrade.command import Command
from chaperone.collector.kube.upgrade.messages import CommandMessages, LogMessages, PortMessages, WatchMessages
from chaperone.collector.wire.events import Message


def names(pieces: list[Piece]) -> list[tuple[str, bytes]]:
    return [(piece.channel, piece.body.data) for piece in pieces]


def test_the_first_empty_message_of_a_command_is_no_output() -> None:
    messages = CommandMessages("v5.channel.k8s.io", Command())
    assert messages.take(message(b"\x01")) == []
    assert names(messages.take(message(b"\x01out"))) == [("stdout", b"out")]


def test_parts_of_a_message_stay_on_its_channel() -> None:
    messages = CommandMessages("", Command())
    pieces = messages.take(message(b"\x02ab", final=False)) + messages.take(message(b"cd", offset=3))
    assert names(pieces) == [("stderr", b"ab"), ("stderr", b"cd")]


def test_the_older_port_forward_pairs_channels_and_its_first_messages_name_the_port() -> None:
    messages = PortMessages("v4.channel.k8s.io", (80, 90, 80))
    for channel, port in enumerate((80, 80, 90, 90, 80, 80)):
        assert messages.take(message(bytes([channel]) + port.to_bytes(2, "little"))) == []
    sent = [message(b"\x00GET", OUT), message(b"\x00OK"), message(b"\x03refused"), message(b"\x04second", OUT)]
    assert names([piece for each in sent for piece in messages.take(each)]) == [
        ("port/80/0", b"GET"),
        ("port/80/0", b"OK"),
        ("port/90/0/error", b"refused"),
        ("port/80/1", b"second"),
    ]


def test_ports_that_no_query_names_are_known_from_the_first_message() -> None:
    messages = PortMessages("", ())
    messages.take(message(b"\x00" + (5432).to_bytes(2, "little")))
    assert names(messages.take(message(b"\x00data"))) == [("port/5432/0", b"data")]
    assert names(messages.take(message(b"\x07data"))) == [("port/?/2/error", b"data")]


def test_a_hidden_channel_of_a_port_forward_is_unknown() -> None:
    messages = PortMessages("", (80,))
    assert names(messages.take(message(b"rest", offset=-1))) == [("unknown", b"rest")]
    assert messages.take(message(b"")) == []


def test_a_log_is_text() -> None:
    assert names(LogMessages("").take(message(b"line \xc3"))) == [("log", b"line \xc3")]
    assert LogMessages("binary.k8s.io").take(message(b"")) == []


EVENT = b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}}'


def test_each_message_of_a_watch_is_an_event_with_its_objects_kind() -> None:
    (piece,) = WatchMessages().take(Message(0, IN, 0, 0, True, EVENT))
    assert (piece.channel, piece.body.form, piece.body.kind, piece.body.complete) == ("event", Form.JSON, "Pod", True)


def test_an_event_in_parts_is_joined() -> None:
    watch = WatchMessages()
    assert watch.take(message(EVENT[:20], final=False)) == []
    (piece,) = watch.take(message(EVENT[20:], offset=20))
    assert piece.body.data == EVENT


@pytest.mark.parametrize(
    "parts",
    [
        [message(EVENT[:20], final=False), message(EVENT[30:], offset=30)],
        [message(EVENT, final=False), message(b"x" * 10, offset=EVENT_LIMIT)],
        [message(EVENT[:20], final=False), message(b"rest", offset=-1)],
    ],
)
def test_an_event_with_a_hole_or_above_the_limit_is_incomplete(parts: list[Message]) -> None:
    watch = WatchMessages()
    (piece,) = [piece for part in parts for piece in watch.take(part)]
    assert not piece.body.complete


@pytest.mark.parametrize("data", [b"\x0a\x05ADDED", b"\xa1aa\x01", b"\xff"])
def test_events_that_are_not_json_are_read_by_their_first_byte(data: bytes) -> None:
    (piece,) = WatchMessages().take(message(data))
    assert piece.channel == "event"
    assert piece.body.data == data


def test_a_client_sends_no_events() -> None:
    assert names(WatchMessages().take(message(EVENT, OUT))) == [("unknown", EVENT)]
