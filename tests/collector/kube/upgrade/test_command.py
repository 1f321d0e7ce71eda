"""The channels of exec and attach."""

import pytest
from support.channel_events import IN, OUT, message

from chaperone.collector.kube.call import Exit, Form
from chaperone.collector.kube.upgrade.command import RESIZE_LIMIT, Command
from chaperone.collector.kube.upgrade.pieces import NO_CHANNEL, Content


def content(data: bytes) -> Content:
    return Content(message(data, OUT), data)


@pytest.mark.parametrize(("number", "name"), [(0, "stdin"), (1, "stdout"), (2, "stderr"), (255, "close"), (9, "unknown")])
def test_numbers_have_names(number: int, name: str) -> None:
    (piece,) = Command().numbered(number, content(b"x"), whole=True)
    assert (piece.channel, piece.body.data) == (name, b"x")


def test_a_hidden_number_is_said_to_be_hidden() -> None:
    (piece,) = Command().numbered(None, content(b"x"), whole=True)
    assert piece.channel == "unknown"
    assert piece.body.ambiguous == (NO_CHANNEL,)


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr", "resize", "error"])
def test_an_empty_message_is_no_output(name: str) -> None:
    command = Command()
    assert command.named(name, content(b""), whole=True) == []
    assert command.exit is None


def test_each_size_of_a_terminal_is_a_piece() -> None:
    pieces = Command().named("resize", content(b'{"Width":120,"Height":40}\n{"Width":80,"Height":24}\n'), whole=True)
    assert [piece.body.object for piece in pieces] == [{"Width": 120, "Height": 40}, {"Width": 80, "Height": 24}]
    assert [piece.position for piece in pieces] == [10, 36]


@pytest.mark.parametrize("data", [b"no json", b'{"Width":1}x', b"{}" * (RESIZE_LIMIT + 1), b"\xff"])
def test_what_is_no_size_is_kept_as_it_came_and_doubted(data: bytes) -> None:
    (piece,) = Command().named("resize", content(data), whole=True)
    assert piece.body.data == data
    assert piece.body.ambiguous == ("not sizes of a terminal",)
    assert piece.body.form in (Form.TEXT, Form.BINARY)


def test_the_error_channel_ends_the_command() -> None:
    command = Command()
    command.named("error", Content(message(b"", IN), b"broken"), whole=False)
    assert [piece.body.data for piece in command.error_over()] == [b"broken"]
    assert command.close() == []
    assert command.exit == Exit(None, "an error in plain text")
