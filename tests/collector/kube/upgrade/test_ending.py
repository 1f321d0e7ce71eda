"""How a command ended."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.channel_events import OUT, message, strand

from chaperone.collector.kube.call import Exit, Form
from chaperone.collector.kube.upgrade.ending import ERROR_LIMIT, NO_ERROR, UNSEEN, Ending
from chaperone.collector.kube.upgrade.pieces import Content
from chaperone.proto.records import Direction


def content(data: bytes, direction: Direction = Direction.IN) -> Content:
    return Content(message(data, direction), data)


def exit_code(causes: Any) -> dict[str, Any]:
    return {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ({"metadata": {}, "status": "Success"}, Exit(0, "Success")),
        (exit_code([{"reason": "ExitCode", "message": "3"}]), Exit(3, "NonZeroExitCode")),
        (exit_code([{"reason": "Other"}, {"reason": "ExitCode", "message": "137"}]), Exit(137, "NonZeroExitCode")),
        (exit_code([{"reason": "ExitCode", "message": "three"}]), Exit(None, "NonZeroExitCode")),
        (exit_code("no list"), Exit(None, "NonZeroExitCode")),
        ({"status": "Failure", "reason": "InternalError", "message": "exit code 5", "details": None}, Exit(None, "InternalError")),
        ({"status": "Failure"}, Exit(None, "Failure")),
        ({}, Exit(None, "Failure")),
    ],
)
def test_a_status_is_read_by_its_cause(status: dict[str, Any], wanted: Exit) -> None:
    ending = Ending()
    (piece,) = ending.take(content(json.dumps(status).encode()), whole=True)
    assert ending.exit == wanted
    assert (piece.channel, piece.body.kind) == ("error", "Status")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"command terminated with non-zero exit code: Error executing in Docker Container: 2", None),
        (b"command terminated with exit code 7", 7),
        (b"container not found", None),
    ],
)
def test_plain_text_of_old_protocols_is_an_error_too(said: bytes, code: int | None) -> None:
    ending = Ending()
    (piece,) = ending.take(content(said), whole=True)
    assert ending.exit == Exit(code, "an error in plain text")
    assert (piece.body.form, piece.body.data) == (Form.TEXT, said)


def test_a_status_in_pieces_is_waited_for() -> None:
    ending = Ending()
    assert ending.take(content(b'{"metadata":{},'), whole=False) == []
    assert ending.exit is None
    assert len(ending.take(content(b'"status":"Success"}\n'), whole=False)) == 1
    assert ending.exit == Exit(0, "Success")


def test_the_first_ending_counts() -> None:
    ending = Ending()
    for status in ("Success", "Failure"):
        ending.take(content(json.dumps({"status": status}).encode()), whole=True)
    ending.close()
    assert ending.exit == Exit(0, "Success")


def test_a_client_cannot_say_how_its_command_ended() -> None:
    ending = Ending()
    (piece,) = ending.take(content(b'{"status":"Success"}', OUT), whole=True)
    assert (piece.channel, piece.direction) == ("error", "out")
    assert ending.take(content(b"", OUT), whole=True) == []
    assert ending.exit is None


def test_without_a_status_the_end_was_not_seen() -> None:
    ending = Ending()
    ending.take(content(b'{"half":'), whole=False)
    (piece,) = ending.close()
    assert piece.body.data == b'{"half":'
    assert ending.exit == Exit(None, "an error in plain text")
    other = Ending()
    assert other.close() == []
    assert other.exit == Exit(None, UNSEEN)


@pytest.mark.parametrize(("torn", "wanted"), [(False, Exit(0, NO_ERROR)), (True, Exit(None, UNSEEN))])
def test_an_error_stream_that_ends_empty_is_success_unless_bytes_are_missing(torn: bool, wanted: Exit) -> None:
    ending = Ending()
    ending.torn = torn
    ending.take(Content(strand(1, b"", end=True), b""), whole=True)
    ending.close()
    assert ending.exit == wanted


def test_looking_for_a_status_takes_linear_time() -> None:
    ending = Ending()
    pieces = ending.take(content(b'{"a":[{}'), whole=False)
    for _ in range(ERROR_LIMIT // 4):
        pieces += ending.take(content(b",{}"), whole=False)
    assert len(pieces) == 0
    assert ending._tries <= 16


def test_what_is_waited_for_is_limited() -> None:
    ending = Ending()
    pieces = [piece for _ in range(20) for piece in ending.take(content(b"x" * (ERROR_LIMIT // 4)), whole=False)]
    assert all(len(piece.body.data) <= ERROR_LIMIT * 5 // 4 for piece in pieces)
    assert len(pieces) == 4


@given(st.lists(st.tuples(st.binary(max_size=50), st.booleans()), max_size=5))
def test_no_bytes_raise_and_none_are_dropped(chunks: list[tuple[bytes, bool]]) -> None:
    ending = Ending()
    pieces = [piece for chunk, whole in chunks for piece in ending.take(content(chunk), whole)] + ending.close()
    assert b"".join(piece.body.data for piece in pieces) == b"".join(chunk for chunk, _ in chunks)
