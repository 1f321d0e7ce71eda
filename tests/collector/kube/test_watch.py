import gzip
import json
from itertools import pairwise

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.protobufs import secret, watch_event

from chaperone.collector.kube import watch
from chaperone.collector.kube.body import Budget
from chaperone.collector.kube.call import Form, Piece
from chaperone.collector.kube.watch import EventStream, LogStream
from chaperone.collector.wire.events import Data
from chaperone.proto.records import Direction

JSON, PROTOBUF, CBOR = "application/json", "application/vnd.kubernetes.protobuf;stream=watch", "application/cbor-seq"
OBJECTS = [
    {"type": kind, "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": kind * n}}}
    for n, kind in enumerate(("ADDED", "BOOKMARK", "ERROR"))
]
WATCHES = {
    JSON: [json.dumps(value).encode() + b"\n" for value in OBJECTS],
    PROTOBUF: [watch_event("ADDED", secret("a" * n, {"k": b"\n\x00"})) for n in range(3)],
    CBOR: [cbor2.dumps(value) for value in OBJECTS],
}


def data(body: bytes, position: int = 0) -> Data:
    return Data(0, Direction.IN, position, 5, body)


def taken(stream: EventStream, body: bytes, cuts: list[int], base: int = 1000) -> list[Piece]:
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    found = [piece for a, b in pairwise(edges) for piece in stream.add(data(body[a:b], base + a))]
    return found + stream.finish(base + len(body), 9)


@given(st.sampled_from(sorted(WATCHES)), st.lists(st.integers(0, 400), max_size=12))
def test_events_are_cut_at_their_own_borders(media_type: str, cuts: list[int]) -> None:
    events = WATCHES[media_type]
    stream = EventStream(media_type, "", Budget())
    found = taken(stream, b"".join(events), cuts)
    assert [(piece.channel, piece.direction) for piece in found] == [("event", "in")] * 3
    assert [piece.position for piece in found] == [1000 + sum(map(len, events[:n])) for n in range(3)]
    assert all(piece.body.complete and piece.body.kind for piece in found)
    assert stream.problem == ""


@given(st.lists(st.integers(0, 400), max_size=12))
def test_a_watch_of_concatenated_gzip_members_gives_events_as_members_arrive(cuts: list[int]) -> None:
    members = [gzip.compress(line) for line in WATCHES[JSON]]
    stream = EventStream(JSON, "gzip", Budget())
    assert [piece.body.object for member in members for piece in stream.add(data(member))] == OBJECTS
    assert [piece.body.object for piece in taken(EventStream(JSON, "gzip", Budget()), b"".join(members), cuts)] == OBJECTS


def test_the_last_event_may_be_cut_off_and_says_so() -> None:
    stream = EventStream(JSON, "", Budget())
    (piece,) = taken(stream, b'{"type":"ADD', [])
    assert (piece.body.complete, piece.body.data, piece.body.object, piece.position) == (False, b'{"type":"ADD', None, 1000)


def test_a_line_that_is_no_json_is_an_event_with_the_reason() -> None:
    bad, good = taken(EventStream(JSON, "", Budget()), b"{bad\n\n" + WATCHES[JSON][0], [])
    assert (bad.body.form, bad.body.ambiguous) == (Form.BINARY, ("not JSON",))
    assert good.body.object == OBJECTS[0]


def test_behind_a_hole_lines_go_on_and_frames_do_not() -> None:
    lines = EventStream(JSON, "", Budget())
    lines.add(data(b'{"type":"AD'))
    lines.lose()
    assert [piece.body.object for piece in lines.add(data(b'x"}\n' + WATCHES[JSON][1], 50))] == [OBJECTS[1]]
    frames = EventStream(PROTOBUF, "", Budget())
    frames.lose()
    assert frames.add(data(WATCHES[PROTOBUF][0])) == []
    assert frames.body(True).ambiguous == ("bytes of a framed watch are missing",)


@pytest.mark.parametrize("size", [watch.EVENT_LIMIT + 1, 2**31, 2**32 - 1])
def test_a_frame_over_the_limit_stops_the_reading_before_anything_is_held(size: int) -> None:
    stream = EventStream(PROTOBUF, "", Budget())
    assert stream.add(data(size.to_bytes(4, "big") + b"x")) == []
    assert str(watch.EVENT_LIMIT) in stream.problem


def test_a_line_without_end_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVENT_LIMIT", 1000)
    stream = EventStream(JSON, "", Budget())
    for _ in range(20):
        stream.add(data(b" " * 100))
    assert stream.problem == "a watch event over 1000 bytes"
    assert stream.size == 2000


def test_events_in_the_making_share_the_streams_budget() -> None:
    budget = Budget(left=100)
    first, second = (EventStream(JSON, "", budget) for _ in range(2))
    first.add(data(b" " * 60))
    second.add(data(b" " * 60))
    assert (first.problem, second.problem != "") == ("", True)
    first.add(data(b"\n"))
    assert budget.left == 100


def test_yaml_is_not_streamed() -> None:
    assert EventStream("application/yaml", "", Budget()).problem
    assert EventStream("", "", Budget()).problem


def test_a_log_is_raw_text() -> None:
    log = LogStream("text/plain", "")
    (piece,) = log.add(data(b"caf\xc3", 7))
    assert (piece.channel, piece.position, piece.body.form, piece.body.data) == ("log", 7, Form.TEXT, b"caf\xc3")
    assert log.add(data(b"")) == []
    log.lose()
    assert log.finish(9, 9) == []
    assert (log.body(True).size, log.body(True).data) == (4, b"")


@given(st.sampled_from(sorted(WATCHES)), st.integers(0, 300))
def test_a_saved_watch_goes_on(media_type: str, cut: int) -> None:
    body = b"".join(WATCHES[media_type])
    whole = taken(EventStream(media_type, "", Budget()), body, [])
    cut %= len(body)
    stream = EventStream(media_type, "", Budget())
    before = stream.add(data(body[:cut], 1000))
    saved = stream.saved()
    assert saved is not None
    again = EventStream.restore(saved, Budget())
    assert before + again.add(data(body[cut:], 1000 + cut)) == whole
    assert again.size == len(body)


def test_a_saved_log_goes_on_and_a_coding_in_flight_cannot_be_saved() -> None:
    log = LogStream("text/plain", "")
    log.add(data(b"abc"))
    saved = log.saved()
    assert saved is not None
    assert LogStream.restore(saved).size == 3
    assert EventStream(JSON, "gzip", Budget()).saved() is None
    assert LogStream("text/plain", "gzip").saved() is None


@given(
    st.sampled_from([JSON, PROTOBUF, CBOR, "x"]), st.sampled_from(["", "gzip", "br"]), st.binary(max_size=80), st.lists(st.integers(0, 80))
)
def test_any_bytes_are_events_or_a_problem(media_type: str, encoding: str, body: bytes, cuts: list[int]) -> None:
    stream = EventStream(media_type, encoding, Budget())
    taken(stream, body, cuts)
    assert stream.body(True).wire_size == len(body)
