"""Go's own client and server talk; what we decode from the bytes equals what the handlers read and wrote."""

import hashlib
import json
import struct
import subprocess
from enum import IntEnum
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from support.go_peer import built
from support.whole_core import Told, masked, read, told
from support.wire_streams import Chunk, bodies, chunks, events_of, reports_of, truth_of

from chaperone.collector.kube.call import Body, Call
from chaperone.collector.wire.events import Response, Trailers
from chaperone.collector.wire.exchange import Exchange, Phase
from chaperone.collector.wire.http2 import PREFACE
from chaperone.proto.records import Direction

NAMES = (
    "h1-kept-alive",
    "h1-pipelined",
    "h1-upgraded",
    "h1-refused",
    "h1-until-closed",
    "h1-cut-off",
    "h2-kinds",
    "h2-many",
    "h2-large-heads",
    "h2-given-up",
    "h2-shut-down",
)
EVERY = pytest.mark.parametrize("name", NAMES)


class FrameType(IntEnum):
    """RFC 9113 §6."""

    DATA, HEADERS, RST_STREAM, GOAWAY, CONTINUATION = 0, 1, 3, 7, 9


Truth = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    subprocess.run([built("talks", folder), folder], check=True, timeout=60, stdout=subprocess.DEVNULL)
    return folder


def truth(talks: Path, name: str) -> Truth:
    """What the handlers say, by request URI: each is asked for once."""
    calls = json.loads(truth_of(talks / f"{name}.jsonl.gz").read_text())["calls"]
    assert len({call["uri"] for call in calls}) == len(calls)
    return {call["uri"]: call for call in calls}


def recorded(talks: Path, name: str) -> list[Chunk]:
    return chunks(talks / f"{name}.jsonl.gz")


def decoded(talks: Path, name: str) -> dict[str, tuple[Call, Told]]:
    found = {one.last.request_uri: (one.last, one) for one in told(read(recorded(talks, name))).values() if isinstance(one.last, Call)}
    assert len(found) == len(truth(talks, name))
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def data_of(body: Body | None) -> bytes:
    return body.data if body else b""


def streamed(one: Told) -> bytes:
    return b"".join(piece.body.data + (b"\n" if piece.channel == "event" else b"") for piece in one.pieces if piece.direction == "in")


def frames(talks: Path, name: str, direction: Direction) -> list[tuple[int, int]]:
    """(type, h2 stream) of each frame, read by struct alone."""
    said = b"".join(chunk.data for chunk in recorded(talks, name) if chunk.direction is direction)
    at, found = len(PREFACE) if direction is Direction.OUT else 0, []
    while at + 9 <= len(said):
        high, low, kind, _, stream = struct.unpack_from(">BHBBL", said, at)
        found.append((kind, stream))
        at += 9 + (high << 16 | low)
    return found


def test_the_recordings_hold_what_they_are_for(talks: Path) -> None:
    assert {FrameType.CONTINUATION, FrameType.HEADERS} <= {kind for kind, _ in frames(talks, "h2-large-heads", Direction.OUT)}
    assert FrameType.CONTINUATION in {kind for kind, _ in frames(talks, "h2-large-heads", Direction.IN)}
    assert [kind for kind, _ in frames(talks, "h2-given-up", Direction.OUT)].count(FrameType.RST_STREAM) >= 1
    assert [kind for kind, _ in frames(talks, "h2-given-up", Direction.IN)].count(FrameType.RST_STREAM) >= 2
    shut = [kind for kind, _ in frames(talks, "h2-shut-down", Direction.IN)]
    assert FrameType.DATA in shut[shut.index(FrameType.GOAWAY) :]
    data = [stream for kind, stream in frames(talks, "h2-many", Direction.IN) if kind == FrameType.DATA]
    assert len(list(groupby(data))) > len(set(data)) > 80


@EVERY
def test_every_handlers_run_is_one_call(talks: Path, name: str) -> None:
    found = decoded(talks, name)
    for uri, true in truth(talks, name).items():
        call, _ = found[uri]
        assert (call.method, call.code) == (true["method"], true["status"]), uri
        assert call.complete == (not true["cut"]) or uri.partition("say=")[2] == "endless", uri


@EVERY
def test_bodies_are_what_the_handlers_read_and_wrote(talks: Path, name: str) -> None:
    found = decoded(talks, name)
    for uri, true in truth(talks, name).items():
        call, one = found[uri]
        if not true["unread"]:
            sent = data_of(call.request_body)
            assert (len(sent), sha256(sent)) == (true["requestSize"], true["requestSHA256"]), uri
        if not true["cut"] and "say=exec" not in uri:
            answer = data_of(call.response_body) or streamed(one)
            assert (len(answer), sha256(answer)) == (true["responseSize"], true["responseSHA256"]), uri


@EVERY
def test_what_was_cut_is_a_beginning_of_what_was_written(talks: Path, name: str) -> None:
    for uri, true in truth(talks, name).items():
        if true["cut"]:
            call, _ = decoded(talks, name)[uri]
            answer = data_of(call.response_body)
            assert 0 < len(answer) <= true["responseSize"]
            assert answer.startswith(b"line 00000000 of what is said\nline 00000001"), uri


def exchange_at(reports: list[Exchange], uri: str) -> Exchange:
    (found,) = [each for each in reports if each.phase is Phase.END and each.request and each.request.target == uri]
    return found


def fields(reports: list[Exchange], uri: str, direction: Direction) -> dict[str, str]:
    position = exchange_at(reports, uri).position
    events = [event for each in reports if each.position == position for event in each.news]
    trailing = [event.headers for event in events if isinstance(event, Trailers) and event.direction is direction]
    return {str(name).title(): str(value) for headers in trailing for name, value in headers}


@pytest.mark.parametrize("name", ["h1-kept-alive", "h2-kinds"])
def test_trailers_of_both_directions_are_there(talks: Path, name: str) -> None:
    reports = reports_of(recorded(talks, name))
    (uri,) = [uri for uri in truth(talks, name) if "say=trailers" in uri]
    true = truth(talks, name)[uri]
    assert fields(reports, uri, Direction.OUT) == {key: value[0] for key, value in true["requestTrailer"].items()}
    assert fields(reports, uri, Direction.IN) == {key: value[0] for key, value in true["responseTrailer"].items()}


@pytest.mark.parametrize("name", ["h1-kept-alive", "h2-kinds"])
def test_interim_answers_do_not_answer(talks: Path, name: str) -> None:
    """As many 103s on the wire as the handler wrote; the calls' codes are the last ones."""
    answers = [event for event in events_of(recorded(talks, name)) if isinstance(event, Response)]
    interim = [event.status for event in answers if event.status == 103]
    assert interim == [status for call in truth(talks, name).values() for status in call["interim"]] == [103, 103]


def test_large_heads_come_in_continuations_and_are_whole(talks: Path) -> None:
    reports = reports_of(recorded(talks, "h2-large-heads"))
    for uri, true in truth(talks, "h2-large-heads").items():
        exchange = exchange_at(reports, uri)
        assert exchange.request is not None
        assert exchange.response is not None
        for headers in (exchange.request.headers, exchange.response.headers):
            large = {str(name).title(): [value] for name, value in headers if str(name).startswith("x-large-")}
            assert large == true["large"]
            assert sum(len(str(value)) for _, value in headers) > 240_000


def test_an_upgraded_exchange_has_its_channels(talks: Path) -> None:
    ((call, one),) = decoded(talks, "h1-upgraded").values()
    assert [(piece.channel, piece.body.data) for piece in one.pieces if piece.channel in ("stdin", "stdout", "stderr")] == [
        ("stdout", b"hello\n"),
        ("stderr", b"oops\n"),
        ("stdin", b"ls\n"),
    ]
    assert call.exit is not None
    assert (call.exit.code, call.subprotocol) == (0, "v5.channel.k8s.io")


@EVERY
def test_the_masker_takes_all_of_it(talks: Path, name: str) -> None:
    masked(read(recorded(talks, name)))


@EVERY
def test_wire_and_kube_agree_on_bodies(talks: Path, name: str) -> None:
    """Content codings aside, a call's body is its exchange's data."""
    raw = bodies(reports_of(recorded(talks, name)))
    for call, _ in decoded(talks, name).values():
        if call.response_body and call.response_body.data and "say=gzip" not in call.request_uri:
            assert call.response_body.data == raw[call.position, Direction.IN]
