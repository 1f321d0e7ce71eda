"""A planted canary in every place and encoding, and the whole of what comes out searched for it."""

import base64
import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from urllib.parse import quote

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.masking import (
    PROTOBUF,
    enveloped,
    field,
    leaves,
    make_body,
    make_call,
    make_event,
    make_piece,
    on,
    survivors,
)

from chaperone.collector.kube.body import Budget, Gatherer
from chaperone.collector.kube.call import Call, Exit, NotKubernetes, User, UserSource
from chaperone.collector.kube.forms.json_text import REPEATED_KEY
from chaperone.collector.kube.forms.many import Many
from chaperone.collector.mask.masked import MaskedCall
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.masking import BUILT_IN, BUILT_INS, Field, Masking, joined
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import ProcessId, SessionId
from chaperone.proto.records import ProcessSeen

KEY = b"k" * 32
SECRET_URL = "/api/v1/namespaces/default/secrets/web"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def encoded(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()


def manifest(secret: str) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "web"},
        "data": {"user": encoded(secret)},
        "stringData": {"b": secret},
    }


def answered(body: bytes | object, media_type: str = "application/json", resource: str = "secrets", **more: Any) -> Call:
    return make_call(info=on(resource), response_body=make_body(body, media_type), **more)


def sent(body: bytes | object, media_type: str = "application/json", resource: str = "secrets") -> Call:
    return make_call(info=on(resource), request_body=make_body(body, media_type))


def secret_message(secret: str) -> bytes:
    entry = field(2, field(1, "user") + field(2, secret))
    return field(1, field(1, "web") + field(12, field(1, APPLIED) + field(2, json.dumps(manifest(secret))))) + entry + field(3, "Opaque")


def pod_message(secret: str) -> bytes:
    container = field(1, "web") + field(4, "--password") + field(4, secret) + field(7, field(1, "DB_PASSWORD") + field(2, secret))
    return field(1, field(1, "web")) + field(2, field(2, container))


def yaml_manifest(secret: str) -> bytes:
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: web\ndata:\n  user: {encoded(secret)}\nstringData:\n  b: '{secret}'\n".encode()
    )


def cbor_manifest(secret: str) -> bytes:
    inner = {
        b"kind": b"Secret",
        b"apiVersion": b"v1",
        b"data": {b"user": cbor2.CBORTag(22, secret.encode())},
        b"stringData": {b"b": secret.encode()},
    }
    return b"\xd9\xd9\xf7" + cbor2.dumps(inner)


PLACES: dict[str, Callable[[str], Call]] = {
    "JSON Secret": lambda s: answered(manifest(s)),
    "JSON Secret under another resource": lambda s: answered(manifest(s), resource="widgets"),
    "pretty JSON": lambda s: answered(json.dumps(manifest(s), indent=2).encode() + b"\n"),
    "escaped JSON": lambda s: answered(b'{"kind":"Secret","stringData":{"b":"%s"}}' % b"".join(b"\\u%04x" % ord(c) for c in s)),
    "SecretList": lambda s: answered({"kind": "SecretList", "items": [{"data": {"user": encoded(s)}}]}),
    "List": lambda s: answered({"kind": "List", "items": [{"kind": "Pod"}, manifest(s)]}, resource="pods"),
    "YAML": lambda s: answered(yaml_manifest(s), "application/yaml"),
    "YAML request": lambda s: sent(yaml_manifest(s), "application/apply-patch+yaml"),
    "JSON that says it is YAML": lambda s: sent(manifest(s), "application/apply-patch+yaml"),
    "CBOR": lambda s: answered(cbor_manifest(s), "application/cbor"),
    "protobuf": lambda s: answered(enveloped("Secret", secret_message(s)), PROTOBUF),
    "protobuf list": lambda s: answered(enveloped("SecretList", field(1, b"") + field(2, secret_message(s))), PROTOBUF),
    "protobuf of an unknown kind": lambda s: answered(enveloped("Strange", field(7, s)), PROTOBUF, "stranges"),
    "broken protobuf": lambda s: answered(enveloped("Secret", secret_message(s))[:-9], PROTOBUF),
    "protobuf pod": lambda s: answered(enveloped("Pod", pod_message(s)), PROTOBUF, "pods"),
    "protobuf deployment": lambda s: answered(enveloped("Deployment", field(2, field(3, pod_message(s)))), PROTOBUF, "deployments"),
    "protobuf config map": lambda s: answered(
        enveloped("ConfigMap", field(2, field(1, "db.password") + field(2, s))), PROTOBUF, "configmaps"
    ),
    "protobuf field without a name": lambda s: answered(
        enveloped("Lease", field(9, field(1, "api-token") + field(2, s))), PROTOBUF, "leases"
    ),
    "protobuf token": lambda s: make_call(
        info=on("serviceaccounts", "token"), response_body=make_body(enveloped("TokenRequest", field(3, field(1, s))), PROTOBUF)
    ),
    "JSON token": lambda s: make_call(
        info=on("serviceaccounts", "token"), response_body=make_body({"kind": "TokenRequest", "status": {"token": s}})
    ),
    "token review": lambda s: sent({"kind": "TokenReview", "spec": {"token": s}}, resource="tokenreviews"),
    "watch event": lambda s: make_call(info=on("secrets"), pieces=(make_event({"type": "DELETED", "object": manifest(s)}),)),
    "protobuf watch event": lambda s: make_call(
        info=on("secrets"), pieces=(make_event(field(1, "ADDED") + field(2, field(1, enveloped("Secret", secret_message(s)))), PROTOBUF),)
    ),
    "CBOR watch event": lambda s: make_call(
        info=on("secrets"),
        pieces=(make_event(cbor2.dumps({b"type": b"ADDED", b"object": {b"data": {b"u": s.encode()}}}), "application/cbor-seq"),),
    ),
    "Table": lambda s: answered({"kind": "Table", "rows": [{"object": {"metadata": {"annotations": {APPLIED: json.dumps(manifest(s))}}}}]}),
    "merge patch": lambda s: sent({"data": {"user": encoded(s)}}, "application/merge-patch+json"),
    "strategic patch": lambda s: sent({"stringData": {"user": s}, "$retainKeys": ["a"]}, "application/strategic-merge-patch+json"),
    "JSON patch": lambda s: sent([{"op": "add", "path": "/data/user", "value": encoded(s)}], "application/json-patch+json"),
    "last-applied": lambda s: sent({"metadata": {"annotations": {APPLIED: json.dumps(manifest(s))}}}, resource="widgets"),
    "broken JSON": lambda s: sent(json.dumps(manifest(s)).encode()[:-1]),
    "broken JSON elsewhere": lambda s: sent(b'{"password": "%s"' % s.encode(), resource="configmaps"),
    "repeated keys": lambda s: sent(b'{"kind":"Secret","data":{"a":"%s"},"data":{}}' % encoded(s).encode()),
    "unknown media type": lambda s: sent(s.encode(), "application/x-odd"),
    "text under secrets": lambda s: sent(s.encode(), "text/plain"),
    "Status that quotes": lambda s: answered({"kind": "Status", "status": "Failure", "message": f"invalid: |{s}|", "reason": "BadRequest"}),
    "Status that quotes in hex": lambda s: answered(
        {"kind": "Status", "message": f"couldn't get version/kind; json parse error: invalid character 'a' ({s.encode().hex()} ...)"},
        resource="configmaps",
    ),
    "helm release": lambda s: answered({"kind": "Secret", "data": {"release": encoded(encoded("\x1f\x8b" + s))}}),
    "env var": lambda s: answered({"spec": {"containers": [{"env": [{"name": "API_TOKEN", "value": s}]}]}}, resource="pods"),
    "connection string": lambda s: answered({"data": {"url": f"redis://:{s}@cache:6379/0"}}, resource="configmaps"),
    "text": lambda s: answered(f"password={s}".encode(), "text/plain", "pods"),
    "authorization": lambda s: make_call(request_headers=(("Authorization", f"Bearer {s}"),)),
    "basic": lambda s: make_call(request_headers=(("authorization", "Basic " + encoded(f"bob:{s}")),)),
    "cookie": lambda s: make_call(request_headers=(("cookie", f"a={s}"),), response_headers=(("Set-Cookie", f"a={s}"),)),
    "browser token": lambda s: make_call(request_headers=(("sec-websocket-protocol", f"base64url.bearer.authorization.k8s.io.{s}"),)),
    "x-remote": lambda s: make_call(request_headers=(("X-Remote-User", s),)),
    "unknown header": lambda s: make_call(request_headers=((None, s), ("x-odd", f"token={s}"))),
    "URL": lambda s: make_call(request_uri=f"/api/v1/x?token={quote(s)}"),
    "command in URL": lambda s: make_call(request_uri=f"/api/v1/namespaces/d/pods/p/exec?command=mysql&command=-p{quote(s)}"),
    "escaped URL": lambda s: make_call(request_uri="/api/v1/x?token=" + "".join(f"%{ord(c):02x}" for c in s)),
    "log": lambda s: make_call(pieces=(make_piece(f"started\npassword={s}\n".encode(), "log"),)),
    "stdin": lambda s: make_call(pieces=(make_piece(f"export PGPASSWORD={s}".encode(), "stdin"),)),
    "port-forward": lambda s: make_call(pieces=(make_piece(f"GET / HTTP/1.1\r\nAuthorization: Bearer {s}\r\n\r\n".encode(), "port/80/0"),)),
    "exit": lambda s: make_call(exit=Exit(1, f"command failed: mysql -p{s}")),
    "user": lambda s: make_call(user=User(f"token={s}", UserSource.CLAIMED, impersonated_extra=(("scopes", f"password={s}"),))),
}  # fmt: skip
CANARIES = st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", min_size=12, max_size=24).map(lambda text: f"Zq{text}-Q.x")


@pytest.mark.parametrize("place", PLACES)
@given(canary=CANARIES)
@settings(max_examples=8, deadline=None)
def test_no_canary_survives(place: str, canary: str) -> None:
    masked = Masker(KEY).call(PLACES[place](canary))
    assert survivors(masked, canary.encode()) == []
    assert any(b"~masked-" in leaf for leaf in leaves(masked))


@pytest.mark.parametrize("place", PLACES)
def test_masking_is_deterministic_and_bodies_stay_json(place: str) -> None:
    call = PLACES[place]("Zq7xWv3pLm9k-Q.x")
    masked = Masker(KEY).call(call)
    assert masked == Masker(KEY).call(call)
    for body in (masked.request_body, masked.response_body):
        if body and body.form in ("json", "protobuf", "cbor", "binary") and "broken JSON elsewhere" not in place:
            json.loads(body.data)


@pytest.mark.parametrize("place", PLACES)
def test_masking_what_is_masked_changes_nothing(place: str) -> None:
    once = Masker(KEY).call(PLACES[place]("Zq7xWv3pLm9k-Q.x"))
    again = make_call(
        info=once.info,
        request_uri=once.request_uri,
        request_headers=once.request_headers,
        response_headers=once.response_headers,
        response_body=make_body(bytes(once.response_body.data)) if once.response_body and once.response_body.form != "text" else None,
    )
    twice = Masker(KEY).call(again)
    assert (twice.request_uri, twice.request_headers, twice.response_headers) == (
        once.request_uri,
        once.request_headers,
        once.response_headers,
    )
    if once.response_body and twice.response_body and once.response_body.form == "json":
        assert twice.response_body.data == once.response_body.data


def test_every_field_of_a_call_has_its_masked_counterpart() -> None:
    names = {each.name for each in fields(MaskedCall)}
    assert {each.name for each in fields(Call)} <= names


def test_a_body_without_secrets_keeps_its_bytes() -> None:
    raw = b'{"kind" : "Pod",\n  "metadata":{"name":"web"} }\n'
    masked = Masker(KEY).call(answered(raw, resource="pods"))
    assert masked.response_body is not None
    assert masked.response_body.data == raw
    assert masked.response_body.masked == 0


def test_the_size_of_the_original_and_the_number_of_values_are_kept() -> None:
    masked = Masker(KEY).call(answered(manifest("Zq7xWv3pLm9k"))).response_body
    assert masked is not None
    assert masked.size == len(json.dumps(manifest("Zq7xWv3pLm9k")))
    assert masked.masked == 2
    assert masked.kind == "Secret"


def test_equal_secrets_are_recognised_in_every_encoding() -> None:
    masker = Masker(KEY)
    stand_in = masker._fingerprint.mask(b"Zq7xWv3pLm9k")
    for place in ("JSON Secret", "protobuf", "YAML", "CBOR", "env var", "URL", "escaped URL", "stdin", "text", "watch event"):
        assert any(stand_in in leaf for leaf in leaves(masker.call(PLACES[place]("Zq7xWv3pLm9k")))), place


def test_a_process_keeps_its_command_but_not_its_passwords() -> None:
    seen = ProcessSeen(ProcessId("p"), SessionId("s"), 1, 2, "/usr/bin/mysql", ("mysql", "-pZq7xWv3p", "--host=db"), "/home/x", 1000)
    masked = Masker(KEY).process(seen)
    assert survivors(masked, b"Zq7xWv3p") == []
    assert (masked.argv_cut, Masker(KEY).process(replace(seen, argv_cut=True)).argv_cut) == (False, True)
    assert (masked.exe, masked.argv[0], masked.argv[2], masked.cwd, masked.pid, masked.uid) == (
        "/usr/bin/mysql",
        "mysql",
        "--host=db",
        "/home/x",
        2,
        1000,
    )


def test_arguments_that_are_no_utf8_come_through() -> None:
    assert Masker(KEY).argv(("tool", "\udcff\udcfe")) == ("tool", "\udcff\udcfe")


def test_another_program_s_exchange_is_masked_too() -> None:
    exchange = NotKubernetes(0, Phase.END, 1, 1, 2, "h2", "GET", "h:443", "/login/token=Zq7xWv3pLm9k", 200, 1, 1, True, "another program")
    masked = Masker(KEY).exchange(exchange)
    assert survivors(masked, b"Zq7xWv3pLm9k") == []
    assert masked.path.startswith("/login/token=~masked-")


def test_the_object_s_name_is_masked_when_it_is_a_token() -> None:
    token = "ghp_" + "Zq7xWv3pLm9k" * 3
    info = on("pods")
    masked = Masker(KEY).call(make_call(info=type(info)("get", True, "", "v1", "pods", "", "default", token)))
    assert survivors(masked, token.encode()) == []
    assert Masker(KEY).call(make_call(info=info)).info is info


def test_short_texts_are_remembered_within_a_limit() -> None:
    masker = Masker(KEY)
    for number in range(3_000):
        masker.text(str(number))
        masker.call(make_call(request_uri=f"/api/v1/pods/{number}"))
        masker.text("x" * 5000 + str(number))
    assert max(len(masker._known), len(masker._urls)) <= 1024
    assert max(map(len, masker._known)) < 5000


def test_a_url_is_masked_anew_once_more_is_known() -> None:
    masker, named = Masker(KEY), make_call(request_uri="/api/v1/pods?note=Zq7xWv3pLm9k-Q.x", info=on("pods"))
    assert masker.call(named).request_uri == named.request_uri
    masker.call(sent(manifest("Zq7xWv3pLm9k-Q.x")))
    assert "Zq7x" not in masker.call(named).request_uri


def test_a_request_s_body_is_masked_once_for_all_reports_of_its_call() -> None:
    masker, call = Masker(KEY), sent(manifest("Zq7xWv3pLm9k"))
    first = masker.call(replace(call, phase=Phase.REQUEST)).request_body
    assert masker.call(replace(call, phase=Phase.RESPONSE)).request_body is first
    other = replace(call, phase=Phase.RESPONSE, request_body=make_body(manifest("another one")))
    assert masker.call(other).request_body is not first
    masker.call(call)
    assert masker._requests == {}


def large_answer(items: bytes, kind: str = "PodList", resource: str = "pods", masking: Masking = BUILT_IN) -> MaskedCall:
    gatherer = Gatherer("application/json", "", Budget())
    gatherer.add(
        b'{"kind":"%s","apiVersion":"v1","items":[%s]}' % (kind.encode(), b",".join([b'{"metadata":{"name":"web"}}'] * 40_000 + [items]))
    )
    body = gatherer.answer(complete=True)
    assert isinstance(body.object, Many)
    return Masker(KEY, masking).call(make_call(info=on(resource), response_body=body, code=200))


def test_a_place_of_ones_own_is_masked_in_a_large_list() -> None:
    item = b'{"metadata":{"name":"web"},"spec":{"colour":"blue"}}'
    for kind, masked in (("Pod", 1), ("Node", 0)):
        body = large_answer(item, masking=Masking(fields=(Field(("spec", "colour"), kind),))).response_body
        assert body is not None and body.masked == masked and (b"blue" in body.data) is (masked == 0)


@pytest.mark.parametrize(
    ("item", "kind", "resource"),
    [
        (b'{"env":[{"name":"DB_PASSWORD","value":"Zq7xWv3pLm9k"}]}', "PodList", "pods"),
        (b'{"data":{"a":"WnE3eFd2M3BMbTlr"}}', "SecretList", "secrets"),
        (b'{"data":{"a":"WnE3eFd2M3BMbTlr"}}', "List", "secrets"),
        (b'{"kind":"Secret","data":{"a":"WnE3eFd2M3BMbTlr"}}', "List", "mixed"),
        (b'{"password":"Zq7xWv3pLm9k","password":"x"}', "PodList", "pods"),
    ],
)
def test_no_canary_survives_in_a_large_list(item: bytes, kind: str, resource: str) -> None:
    masked = large_answer(item, kind, resource).response_body
    assert masked is not None
    assert masked.masked == 1
    assert not survivors(masked, b"Zq7xWv3pLm9k")


def test_a_large_list_says_what_reading_it_brought_to_light() -> None:
    clean = large_answer(b'{"a":1,"b":2}')
    assert (clean.ambiguous, clean.has_response_object) == ((), True)
    repeated = large_answer(b'{"a":1,"a":2}')
    assert (repeated.ambiguous, repeated.has_response_object) == ((REPEATED_KEY,), True)
    broken = large_answer(b"{]}")
    assert broken.ambiguous == ("not JSON",)
    assert [call.response_body.masked for call in (clean, repeated, broken) if call.response_body] == [0, 1, 1]


SWITCHED: dict[str, Callable[[str], Call]] = {
    "names": lambda s: answered({"env": [{"name": "MY_TOKEN", "value": s}], "password": s}, resource="pods"),
    "arguments": lambda s: answered({"command": ["x", "--token", s]}, resource="pods"),
    "assignment": lambda s: answered({"note": f"see password={s} there"}, resource="pods"),
    "manifest": lambda s: answered(f"kind: Secret\ndata:\n  colour: {s}\n".encode(), "text/plain", "pods"),
    "known": lambda s: make_call(
        info=on("secrets"), request_body=make_body(manifest(s)), response_body=None, user_agent="none", kubectl_command="none"
    ),
}


@pytest.mark.parametrize("name", SWITCHED)
def test_a_built_in_that_is_switched_off_masks_nothing(name: str) -> None:
    secret, off = "Zq7xWv3pLm9kQx", joined([Masking(off=frozenset({name}))])
    for masking, survives in ((BUILT_IN, False), (off, True)):
        masker = Masker(KEY, masking)
        found = [masker.call(SWITCHED[name](secret)), masker.text(f"colour {secret}") if name == "known" else None]
        assert (survivors(found, secret.encode()) != []) is survives


@pytest.mark.parametrize("place", ["JSON Secret", "protobuf token", "authorization", "cookie", "merge patch", "broken protobuf"])
def test_with_all_built_ins_off_what_is_always_masked_is(place: str) -> None:
    masker = Masker(KEY, joined([Masking(off=frozenset(BUILT_INS))]))
    assert survivors(masker.call(PLACES[place]("Zq7xWv3pLm9k-Q.x")), b"Zq7xWv3pLm9k-Q.x") == []
