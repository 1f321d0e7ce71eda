"""Kinds of traffic that no recording has, against what the apiserver's code says of them: audit events and channels."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from support.made_captures import IN, OUT, POD, SpdyWriter, Talk, capture, frame, spdy, strand, websocket
from support.talks import answered, asked, chunked

from chaperone.collector.cli.decoded import Decoded
from chaperone.collector.cli.show.audit import event

CONFIGMAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}
YAML = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n"
CBOR = b"\xd9\xd9\xf7" + cbor2.dumps({b"apiVersion": b"v1", b"kind": b"ConfigMap", b"metadata": {b"name": b"made"}})
MAPS = "/api/v1/namespaces/ns/configmaps"
SCALE = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d", "uid": "u", "resourceVersion": "5"}}
SUCCESS = json.dumps({"metadata": {}, "status": "Success"}).encode()
WATCHLIST = "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"

# (method, target, body, its type) → verb, objectRef without what is empty; answered 200 with the same body
SENT: list[tuple[tuple[str, str, bytes, str], str, dict[str, str]]] = [
    (("POST", MAPS, YAML, "application/yaml"), "create", {"resource": "configmaps", "namespace": "ns", "name": "made"}),
    (("POST", MAPS, CBOR, "application/cbor"), "create", {"resource": "configmaps", "namespace": "ns", "name": "made"}),
    (
        ("PATCH", f"{MAPS}/made", YAML, "application/apply-patch+yaml"),
        "patch",
        {"resource": "configmaps", "namespace": "ns", "name": "made"},
    ),
    (
        ("PATCH", f"{MAPS}/made", CBOR, "application/apply-patch+cbor"),
        "patch",
        {"resource": "configmaps", "namespace": "ns", "name": "made"},
    ),
    (
        ("PUT", "/apis/apps/v1/namespaces/ns/deployments/d/scale", json.dumps(SCALE).encode(), "application/json"),
        "update",
        {"resource": "deployments", "namespace": "ns", "name": "d", "uid": "u", "apiGroup": "apps", "resourceVersion": "5"}
        | {"subresource": "scale"},
    ),
    (
        ("POST", "/api/v1/namespaces/ns/pods", b'{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"p-"}}', "application/json"),
        "create",
        {"resource": "pods", "namespace": "ns"},
    ),
    (
        ("DELETE", "/api/v1/namespaces/ns/pods?limit=1", b'{"kind":"DeleteOptions","apiVersion":"v1"}', "application/json"),
        "deletecollection",
        {"resource": "pods", "namespace": "ns"},
    ),
]


def audited(found: Decoded) -> dict[str, Any]:
    (call,) = found.calls
    return event(call, "made")


def pieces(found: Decoded) -> list[tuple[str, str, str]]:
    (call,) = found.calls
    return [(each["channel"], each["direction"], each["body"]["data"]) for each in found.pieces_of(call)]


@pytest.mark.parametrize(("sent", "verb", "reference"), SENT, ids=lambda value: value[0] if isinstance(value, tuple) else None)
def test_an_object_in_any_form_is_audited(sent: tuple[str, str, bytes, str], verb: str, reference: dict[str, str], tmp_path: Path) -> None:
    method, target, body, media_type = sent
    talk = [(OUT, asked(method, target, body, Content_Type=media_type)), (IN, answered(200, body, media_type))]
    shown = audited(capture(tmp_path, talk))
    assert (shown["verb"], shown["objectRef"]) == (verb, reference | {"apiVersion": "v1"})
    assert shown["requestObject"]["kind"] and shown["responseObject"] == shown["requestObject"]


@pytest.mark.parametrize(
    ("method", "target", "verb", "subresource"),
    [
        ("GET", "/api/v1/nodes/n/proxy/run/ns/p/c?cmd=id", "get", "proxy"),
        ("PROPFIND", "/api/v1/namespaces/ns/services/https:s:443/proxy/x", "", "proxy"),
        ("OPTIONS", "/api/v1/namespaces/ns/pods", "", None),
        ("get", "/api/v1/namespaces/ns/pods", "", None),
        ("DELETE", "/api/v1/watch/namespaces/ns/pods/p", "watch", None),
    ],
)
def test_a_verb_follows_from_the_path_and_the_exact_method(
    method: str, target: str, verb: str, subresource: str | None, tmp_path: Path
) -> None:
    shown = audited(capture(tmp_path, [(OUT, asked(method, target)), (IN, answered(200, b"{}", "text/plain"))]))
    assert (shown["verb"], shown["requestURI"], shown["objectRef"].get("subresource")) == (verb, target, subresource)
    assert "responseObject" not in shown


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (404, "NotFound"), (400, "BadRequest")])
def test_a_refused_upgrade_is_an_ordinary_answer(code: int, reason: str, tmp_path: Path) -> None:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": reason, "code": code}
    talk = websocket(f"{POD}/exec?command=id", "v5.channel.k8s.io")[:1]
    shown = audited(capture(tmp_path, [*talk, (IN, answered(code, json.dumps(status).encode(), Audit_Id="id"))]))
    assert (shown["verb"], shown["auditID"]) == ("get", "id")
    assert shown["responseStatus"] == {"metadata": {}, "status": "Failure", "message": "no", "reason": reason, "code": code}


def failed(code: str) -> bytes:
    cause = {"causes": [{"reason": "ExitCode", "message": code}]}
    return json.dumps({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "details": cause}).encode()


@pytest.mark.parametrize(
    ("subprotocol", "said", "code"),
    [
        ("v5.channel.k8s.io", [b"\1out", b"\3" + SUCCESS], 0),
        ("v4.channel.k8s.io", [b"\1out", b"\3" + failed("7")], 7),
        ("v4.base64.channel.k8s.io", [b"1" + base64.b64encode(b"out"), b"3" + base64.b64encode(failed("7"))], 7),
        ("channel.k8s.io", [b"\1out", b"\3command terminated with exit code 2"], 2),
        ("channel.k8s.io", [b"\1out"], 0),
        ("", [b"\1out"], 0),
        ("v4.channel.k8s.io", [b"\1out"], None),
        ("v5.channel.k8s.io", [b"\1out", b"\3" + b'{"status":"Failure","reason":"InternalError"}'], None),
    ],
)
def test_a_command_ends_as_its_subprotocol_says(subprotocol: str, said: list[bytes], code: int | None, tmp_path: Path) -> None:
    stdin = base64.b64encode(b"ls\n") if "base64" in subprotocol else b"ls\n"
    begun = (b"0" if "base64" in subprotocol else b"\0") + stdin
    talk: Talk = [*websocket(f"{POD}/attach?stdin=true&stdout=true", subprotocol), frame(OUT, begun, 1)]
    found = capture(tmp_path, [*talk, *(frame(IN, each) for each in said), frame(IN, b"\3\xe8", 8)])
    assert pieces(found)[:2] == [("stdin", "out", "ls\n"), ("stdout", "in", "out")]
    assert found.calls[0]["exit"]["code"] == code
    assert (audited(found)["verb"], audited(found)["responseStatus"]["code"]) == ("get", 101)


def forwarded() -> Talk:
    """Two connections to two ports; the second is refused."""
    client = SpdyWriter()
    first, second = (
        client.opened(number, True, streamtype="error", port=port, requestid=request)
        + client.opened(number + 2, streamtype="data", port=port, requestid=request)
        for number, port, request in ((1, "8080", "0"), (5, "5432", "1"))
    )
    return [
        (OUT, first + strand(3, b"ping")),
        (OUT, second + strand(7, b"SELECT")),
        (IN, strand(3, b"pong", ends=True) + strand(5, b"refused", ends=True)),
    ]


FORWARDED = [
    ("port/8080/0", "out", "ping"),
    ("port/5432/1", "out", "SELECT"),
    ("port/8080/0", "in", "pong"),
    ("port/5432/1/error", "in", "refused"),
]


def test_ports_are_the_same_with_and_without_a_websocket_around_spdy(tmp_path: Path) -> None:
    bare = capture(tmp_path, [*spdy(f"{POD}/portforward", "portforward.k8s.io"), *forwarded()])
    assert (audited(bare)["verb"], pieces(bare)) == ("create", FORWARDED)
    heads = websocket(f"{POD}/portforward", "SPDY/3.1+portforward.k8s.io")
    inside = capture(tmp_path, [*heads, *(frame(side, data) for side, data in forwarded())])
    assert (audited(inside)["verb"], pieces(inside)) == ("get", FORWARDED)


def test_the_older_port_forward_names_ports_by_channel(tmp_path: Path) -> None:
    begun = [frame(IN, bytes([channel]) + port.to_bytes(2, "little")) for channel, port in enumerate((80, 80, 90, 90))]
    talk = [*begun, frame(OUT, b"\0ping"), frame(IN, b"\0pong"), frame(IN, b"\3refused")]
    found = capture(tmp_path, [*websocket(f"{POD}/portforward?ports=80&ports=90", "v4.channel.k8s.io"), *talk])
    assert pieces(found) == [("port/80/0", "out", "ping"), ("port/80/0", "in", "pong"), ("port/90/0/error", "in", "refused")]


def told(change: str, **content: Any) -> bytes:
    return json.dumps({"type": change, "object": content}).encode() + b"\n"


def test_a_compressed_watchlist_gives_its_events_member_by_member(tmp_path: Path) -> None:
    said = [told("ADDED", kind="Pod"), told("BOOKMARK", kind="Pod"), told("ERROR", kind="Status", code=410)]
    members = [gzip.compress(said[0]), gzip.compress(said[1] + said[2])]
    talk = [(OUT, asked("GET", WATCHLIST)), *((IN, part) for part in chunked(200, members, Content_Encoding="gzip"))]
    found = capture(tmp_path, talk)
    assert [(channel, json.loads(data)["type"]) for channel, _, data in pieces(found)] == [
        ("event", "ADDED"),
        ("event", "BOOKMARK"),
        ("event", "ERROR"),
    ]
    assert audited(found)["responseStatus"] == {"metadata": {}, "code": 200}


def test_a_cbor_watch_gives_its_events(tmp_path: Path) -> None:
    said = b"\xd9\xd9\xf7" + cbor2.dumps({b"type": b"ADDED", b"object": {b"kind": b"Pod"}})
    answer = chunked(200, [said + said[:5], said[5:]], "application/cbor-seq")
    found = capture(tmp_path, [(OUT, asked("GET", WATCHLIST)), *((IN, part) for part in answer)])
    assert [channel for channel, _, _ in pieces(found)] == ["event", "event"]


def test_a_token_of_300_kib_is_only_a_long_header(tmp_path: Path) -> None:
    talk = [(OUT, asked("GET", "/api/v1/pods", Authorization="Bearer " + "x" * 300_000)), (IN, answered(200, b'{"kind":"PodList"}'))]
    shown = audited(capture(tmp_path, talk))
    assert (shown["verb"], shown["user"], "chaperone.dev/incomplete" in shown["annotations"]) == ("list", {"username": ""}, False)


REFUSED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}


@pytest.mark.parametrize(
    ("target", "code", "reason", "said"),
    [
        ("/api/v1/pods?watch=1", 410, "Expired", {"status": "Failure", "message": "no", "reason": "Expired"}),
        ("/api/v1/pods", 406, "NotAcceptable", {}),  # written past the log
        ("/apis/metrics.k8s.io/v1beta1/nodes/n", 404, "NotFound", {}),  # another server's words
    ],
)
def test_a_refusal_is_audited_as_far_as_the_apiserver_logs_it(
    target: str, code: int, reason: str, said: dict[str, str], tmp_path: Path
) -> None:
    answer = json.dumps(REFUSED | {"message": "no", "reason": reason, "code": code}).encode()
    shown = audited(capture(tmp_path, [(OUT, asked("GET", target)), (IN, answered(code, answer))]))
    assert shown["responseStatus"] == {"metadata": {}, **said, "code": code}
    assert ("responseObject" in shown) is bool(said)


def test_an_eviction_that_has_to_wait_was_decoded(tmp_path: Path) -> None:
    eviction = b'{"kind":"Eviction","apiVersion":"policy/v1","metadata":{"name":"p","uid":"u"}}'
    refused = json.dumps(REFUSED | {"message": "Cannot evict pod", "reason": "TooManyRequests", "code": 429}).encode()
    asking = asked("POST", f"{POD}/eviction", eviction, Content_Type="application/json")
    shown = audited(capture(tmp_path, [(OUT, asking), (IN, answered(429, refused))]))
    assert (shown["requestObject"]["kind"], shown["objectRef"]["uid"]) == ("Eviction", "u")


@pytest.mark.parametrize(("subprotocol", "text"), [("", False), ("binary.k8s.io", False), ("base64.binary.k8s.io", True)])
def test_a_log_over_websocket_is_a_log(subprotocol: str, text: bool, tmp_path: Path) -> None:
    said = base64.b64encode(b"line\n") if text else b"line\n"
    talk = [*websocket(f"{POD}/log?follow=1", subprotocol), frame(IN, said, 1 if text else 2), frame(IN, b"\x03\xe8", 8)]
    found = capture(tmp_path, talk)
    assert pieces(found) == [("log", "in", "line\n")]
    assert (audited(found)["verb"], audited(found)["objectRef"]["subresource"]) == ("get", "log")


def test_an_attached_terminal_has_its_keys_sizes_and_end(tmp_path: Path) -> None:
    talk = [*websocket(f"{POD}/attach?stdin=1&stdout=1&tty=1", "v5.channel.k8s.io"), frame(IN, b"\x01"), frame(OUT, b"\x00ls\r")]
    talk += [frame(OUT, b'\x04{"Width":80,"Height":24}\n'), frame(IN, b"\x01a b\r\n"), frame(OUT, b"\xff\x00")]
    found = capture(tmp_path, [*talk, frame(IN, b"\x03" + SUCCESS), frame(IN, b"\x03\xe8", 8)])
    assert [channel for channel, _, _ in pieces(found)] == ["stdin", "resize", "stdout", "close", "error"]
    assert found.calls[0]["exit"] == {"code": 0, "reason": "Success"}
    assert audited(found)["verb"] == "get"
