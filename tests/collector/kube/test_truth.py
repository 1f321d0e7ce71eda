"""What the apiserver's own audit log says of each recording, against what is decoded from its bytes alone."""

import gzip
import json
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
from support import recordings
from support.recordings import Chunks, Recording, finals, names, pieces, recording, reports

from chaperone.collector.kube.call import Call, Form, Piece, UserSource
from chaperone.collector.kube.calls import Calls
from chaperone.collector.kube.flags import has_request_object, has_response_object
from chaperone.collector.kube.protobuf import Message
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.exchange import Exchanges
from chaperone.proto.records import Direction

NAMES = names()
COMPLETE = pytest.mark.skipif(len(NAMES) < 57, reason="shared/fixtures is not beside this checkout")
SMALL = 12_000  # bytes: fed one at a time
OUTPUTS = ("expect100", "h1", "h2", "post-bad", "protobuf-secret", "unauthenticated", "watchlist-gzip", "yaml")
EXECS = ("kubectl-exec-ws.2", "kubectl-exec-ws-tty.2", "kubectl-exec-spdy.2", "kubectl-exec-spdy-stdin.2")
UNREADABLE_BODIES = ("curl-expect100.1", "curl-post-bad.1")


def object_reference(call: Call) -> dict[str, str] | None:
    info = call.info
    found = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "uid": info.uid,
        "apiGroup": info.api_group,
        "apiVersion": info.api_version,
        "resourceVersion": info.resource_version,
        "subresource": info.subresource,
    }
    return {key: value for key, value in found.items() if value} if info.is_resource else None


def said(call: Call) -> dict[str, Any]:
    return {
        "verb": call.info.verb,
        "requestURI": call.request_uri,
        "userAgent": call.user_agent,
        "objectRef": object_reference(call),
        "code": call.code,
        "user": call.user.name,
        "impersonatedUser": call.user.impersonated,
        "hasRequestObject": has_request_object(call),
        "hasResponseObject": has_response_object(call),
    }


def true(event: dict[str, Any]) -> dict[str, Any]:
    keys = ("verb", "requestURI", "userAgent", "user", "hasRequestObject", "hasResponseObject")
    return {key: event[key] for key in keys} | {
        "objectRef": event.get("objectRef"),
        "code": event["responseStatus"]["code"],
        "impersonatedUser": event.get("impersonatedUser", {}).get("username", ""),
    }


def joined(recorded: Recording, calls: list[Call]) -> list[tuple[dict[str, Any], Call]]:
    """Each event with its call: by Audit-Id, or by requestURI where a 101 carries none. None is left over."""
    by_id = {call.audit_id or call.request_uri: call for call in calls}
    assert len(by_id) == len(calls) == len(recorded.audit)
    return [(event, by_id.get(event["auditID"]) or by_id[event["requestURI"]]) for event in recorded.audit]


def timeless(chunks: Chunks) -> list[tuple[Call, list[Piece]]]:
    """What must not depend on how the bytes were cut: all but times; text is joined."""
    found = reports(chunks)
    calls = [replace(call, started=0, requested=0, answered=0, ended=0, at=0, pieces=()) for call in finals(found)]
    return [(call, merged(pieces(found, call.position))) for call in calls]


def merged(found: list[Piece]) -> list[Piece]:
    runs = groupby((replace(piece, time=0) for piece in found), lambda piece: (piece.channel, piece.direction))
    return [
        piece for (channel, _), run in runs for piece in (run if channel in ("event", "resize", "close", "error") else [text(list(run))])
    ]


def text(run: list[Piece]) -> Piece:
    data = b"".join(piece.body.data for piece in run)
    return replace(run[0], body=replace(run[0].body, data=data, size=len(data), wire_size=0))


@pytest.mark.parametrize("name", NAMES)
def test_every_audit_event_has_its_call_and_nothing_is_left_over(name: str) -> None:
    recorded = recording(name)
    for event, call in joined(recorded, finals(reports(recorded.chunks))):
        assert said(call) == true(event)
        assert call.user.source is (UserSource.CLAIMED if call.user.name != "system:anonymous" else UserSource.UNKNOWN)
        assert bool(call.ambiguous) == (name in UNREADABLE_BODIES)


@COMPLETE
def test_all_161_events_of_57_recordings_are_there() -> None:
    assert len(NAMES) == 57
    assert sum(len(recording(name).audit) for name in NAMES) == 161


@pytest.mark.parametrize("name", NAMES)
def test_each_direction_in_one_piece_gives_the_same_calls(name: str) -> None:
    chunks = recording(name).chunks
    assert timeless(recordings.one_piece(chunks)) == timeless(chunks)


@pytest.mark.parametrize("name", NAMES)
def test_random_cuts_give_the_same_calls(name: str) -> None:
    chunks = recording(name).chunks
    assert timeless(recordings.recut(chunks, seed=len(name))) == timeless(chunks)


@pytest.mark.parametrize("name", [name for name in NAMES if sum(len(data) for _, data, _ in recording(name).chunks) < SMALL])
def test_one_byte_at_a_time_gives_the_same_calls(name: str) -> None:
    chunks = recording(name).chunks
    assert timeless(recordings.every_byte(chunks)) == timeless(chunks)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_anywhere_leaves_calls_that_say_they_are_incomplete(name: str) -> None:
    chunks = recording(name).chunks
    whole = {call.position: call for call in finals(reports(chunks))}
    for share in (0.1, 0.5, 0.9):
        kept = chunks[: int(len(chunks) * share) + 1]
        direction, data, time = kept[-1]
        found = finals(reports([*kept[:-1], (direction, data[: len(data) // 2], time)]))
        for call in found:
            full = whole.get(call.position)
            assert not call.complete or (full is not None and (call.code, call.response_body) == (full.code, full.response_body))


@COMPLETE
@pytest.mark.parametrize("suffix", OUTPUTS)
def test_the_response_body_is_what_the_client_printed(suffix: str) -> None:
    recorded = recording(f"curl-{suffix}.1")
    found = reports(recorded.chunks)
    (call,) = finals(found)
    assert call.response_body is not None
    body = call.response_body.data or b"\n".join(piece.body.data for piece in pieces(found, call.position))
    assert body.decode("utf-8", "replace").strip() == recorded.truth["client_output"].strip()


@COMPLETE
@pytest.mark.parametrize(("name", "wire", "size"), [("curl-h2-gzip.1", 20_554, 630_166), ("kubectl-list-gzip.1", 18_379, 507_076)])
def test_gzip_bodies_inflate_to_their_true_sizes(name: str, wire: int, size: int) -> None:
    (call,) = finals(reports(recording(name).chunks))
    body = call.response_body
    assert body is not None
    assert (body.wire_size, body.size, body.form, body.complete) == (wire, size, Form.JSON, True)
    assert body.object == json.loads(body.data)
    assert body.kind == "ConfigMapList"


@pytest.mark.parametrize("name", EXECS)
def test_what_a_command_wrote_is_in_the_clients_output(name: str) -> None:
    recorded = recording(name)
    found = reports(recorded.chunks)
    (call,) = finals(found)
    written = [piece for piece in pieces(found, call.position) if piece.channel in ("stdout", "stderr")]
    assert written
    for piece in written:
        assert piece.body.data.replace(b"\r", b"").decode() in recorded.truth["client_output"]


@COMPLETE
@pytest.mark.parametrize("name", ["go-scheduler-protobuf.1", "helm-install.1"])
@pytest.mark.parametrize("side", Direction)
def test_joined_late_nothing_wrong_is_said(name: str, side: Direction) -> None:
    """Without each direction's first kilobytes, and with them the HPACK entries that later heads refer to."""
    recorded = recording(name)
    found = finals(late(recorded.chunks, side))
    events = {event["auditID"]: event for event in recorded.audit}
    known = [(call, events[call.audit_id]) for call in found if call.audit_id in events]
    assert len(known) > len(events) / 2
    for call, event in known:
        assert call.user.name in (event["user"], "")
        if call.request_uri:
            assert (call.request_uri, call.info.verb) == (event["requestURI"], event["verb"])
    assert any(call.response_body and call.response_body.object is not None for call, _ in known)


def late(chunks: Chunks, side: Direction) -> recordings.Reports:
    first = next(number for number, chunk in enumerate(chunks) if chunk[0] is side and len(chunk[1]) > 60)
    reader, exchanges, calls, positions = StreamReader(), Exchanges(), Calls(), [0, 0]
    found = []
    for number, (direction, data, time) in enumerate(chunks):
        read = (
            reader.lose(direction, len(data), time, "late") if number == first else reader.feed(direction, positions[direction], data, time)
        )
        positions[direction] += len(data)
        found += [calls.take(exchange) for exchange in exchanges.add(read)]
    found += [calls.take(exchange) for exchange in exchanges.close(9)]
    return [report for report in found if report is not None]


@COMPLETE
def test_protobuf_watch_events_are_cut_at_their_frames() -> None:
    found = reports(recording("kubectl-events-watch.1").chunks)
    (call,) = finals(found)
    events = pieces(found, call.position)
    assert len(events) == 143
    assert {piece.body.kind for piece in events} == {"Event"}
    assert all(isinstance(piece.body.object, Message) for piece in events)
    assert sum(piece.body.size + 4 for piece in events) == call.response_body.size if call.response_body else False


@COMPLETE
def test_an_error_inside_a_watch_is_an_event_and_the_code_stays_200() -> None:
    found = reports(recording("curl-watchlist-gzip.1").chunks)
    (call,) = finals(found)
    (event,) = pieces(found, call.position)
    assert call.code == 200
    assert (event.body.kind, event.body.object["type"], event.body.object["object"]["code"]) == ("Status", "ERROR", 500)


@COMPLETE
def test_a_json_watch_and_a_log_are_pieces() -> None:
    found = reports(recording("kubectl-rollout-status.1").chunks)
    watches = [call for call in finals(found) if call.info.verb == "watch"]
    assert [event.body.object["type"] for call in watches for event in pieces(found, call.position)] == ["ERROR", "MODIFIED", "MODIFIED"]
    logs = recording("kubectl-logs-follow.1")
    found = reports(logs.chunks)
    (log,) = [call for call in finals(found) if call.info.subresource == "log"]
    assert b"".join(piece.body.data for piece in pieces(found, log.position)).startswith(b"Mon Nov 23")
    assert log.response_body is not None
    assert log.response_body.data == b""


@COMPLETE
def test_secrets_are_found_in_every_form() -> None:
    forms = {}
    for name in ("curl-h2.1", "curl-yaml.1", "curl-protobuf-secret.1"):
        (call,) = finals(reports(recording(name).chunks))
        assert call.response_body is not None
        assert call.response_body.kind == "Secret"
        forms[call.response_body.form] = call.response_body.object
    assert set(forms) == {Form.JSON, Form.YAML, Form.PROTOBUF}
    assert forms[Form.JSON]["data"] == forms[Form.YAML]["data"]


def test_a_recording_is_kept_beside_the_tests() -> None:
    folder = recordings.CAPTURES
    assert json.loads(gzip.decompress((folder / "curl-protobuf-secret.1.jsonl.gz").read_bytes()).splitlines()[0])["name"]
    assert Direction.OUT == 0
