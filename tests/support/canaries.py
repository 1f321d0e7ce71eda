"""One secret in every place where Kubernetes traffic has secrets, in every encoding that goes over the wire: conversations by place.

The places are those that masking promises (docs/masking.md): headers, URLs, Secrets in each form and operation, copies of them in metadata,
tokens, helm releases, other objects, messages that quote, and free text that is cut anywhere. Each is said in a session of its own, since
what a session knows would hide a place that is not masked by itself.
"""

import base64
import gzip
import json
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import cbor2
from support.made_captures import IN, OUT, POD, SpdyWriter, Talk, frame, spdy, strand, websocket
from support.protobufs import envelope, field, metadata, watch_event
from support.talks import JSON, PROTOBUF, answered, asked, chunked

CANARY = "Canary7c2e91s3cr3tQ8"
SECRETS, PODS = "/api/v1/namespaces/ns/secrets", "/api/v1/namespaces/ns/pods"
ONE = f"{SECRETS}/one"
CBOR, YAML, TABLE = "application/cbor", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"
SELF_DESCRIBED = b"\xd9\xd9\xf7"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CHANNELS = "v5.channel.k8s.io"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IkEifQ.eyJzdWIiOiJ{CANARY}In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
PEM = f"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n{CANARY}\nAASCBKcwggSj\n-----END PRIVATE KEY-----\n"
OK = {"kind": "Status", "apiVersion": "v1", "status": "Success"}
TEXTS = {
    "an assignment": f"export DB_PASSWORD={CANARY}\n",
    "a connection string": f"dial postgres://web:{CANARY}@db.prod.svc:5432/web?sslmode=require\n",
    "a token": f"got {JWT} there\n",
    "a key": PEM,
    "a header": f"> Authorization: Bearer {CANARY}\r\n",
    "JSON": json.dumps({"auth": {"clientSecret": CANARY}}) + "\n",
    "YAML": f"database:\n  password: {CANARY}\n",
    "a manifest": f"apiVersion: v1\ndata:\n  opaque: {base64.b64encode(CANARY.encode()).decode()}\nkind: Secret\n",
    "a flag": f"mysql -u web -p{CANARY} shop\n",
    "terminal escapes": f"\x1b[1mpassword\x1b[0m: \x1b[32m{CANARY[:9]}\x1b[0m{CANARY[9:]}\r\n",
}


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def got(target: str, document: Any, media_type: str = JSON, code: int = 200) -> Talk:
    return [(OUT, asked("GET", target)), (IN, answered(code, raw(document), media_type))]


def sent(method: str, target: str, document: Any, media_type: str = JSON, answer: Any = OK) -> Talk:
    return [(OUT, asked(method, target, raw(document), Content_Type=media_type)), (IN, answered(201, raw(answer)))]


def watched(target: str, events: list[bytes], media_type: str) -> Talk:
    return [(OUT, asked("GET", f"{target}?watch=1")), *((IN, part) for part in chunked(200, events, media_type))]


def raw(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def headed(**headers: str) -> Talk:
    return [(OUT, asked("GET", PODS, **headers)), (IN, answered(200, raw({"kind": "PodList", "items": []})))]


SECRET = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "one", "namespace": "ns"}, "data": {"opaque": b64(CANARY)}}
CLEAR = {**SECRET, "data": {}, "stringData": {"opaque": CANARY}}
LIST = {"kind": "SecretList", "apiVersion": "v1", "items": [SECRET]}
LISTED = {"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod"}, SECRET]}
YAML_SECRET = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: one\ndata:\n  opaque: {b64(CANARY)}\n".encode()
NOTED = {"name": "one", "namespace": "ns", "annotations": {APPLIED: json.dumps(SECRET) + "\n"}}
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": NOTED}
ROWS = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": [{"cells": ["one", "Opaque", "1"], "object": PARTIAL}]}
ENTRY = field(2, field(1, "opaque") + field(2, CANARY))
PROTO_SECRET = envelope("v1", "Secret", metadata("one", "ns") + ENTRY + field(3, "Opaque"))
PROTO_LIST = envelope("v1", "SecretList", field(2, metadata("one", "ns") + ENTRY))
PROTO_NOTED = envelope("v1", "Secret", field(1, field(1, "one") + field(12, field(1, APPLIED) + field(2, json.dumps(SECRET)))))
CBOR_SECRET = SELF_DESCRIBED + cbor2.dumps({**SECRET, "data": {"opaque": CANARY.encode()}})
CBOR_LIST = SELF_DESCRIBED + cbor2.dumps({**LIST, "items": [{**SECRET, "data": {"opaque": CANARY.encode()}}]})
RELEASE_JSON = json.dumps(
    {
        "name": "shop",
        "info": {"status": "deployed"},
        "config": {"db": {"password": CANARY}},
        "manifest": f"---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: one\ndata:\n  opaque: {b64(CANARY)}\n",
        "chart": {"metadata": {"name": "shop"}, "values": {"apiToken": CANARY}, "templates": [{"name": "t", "data": b64(CANARY)}]},
    }
).encode()
RELEASE = b64(gzip.compress(RELEASE_JSON))
HELM = {
    "kind": "Secret",
    "metadata": {"name": "sh.helm.release.v1.shop.v1"},
    "type": "helm.sh/release.v1",
    "data": {"release": b64(RELEASE)},
}
HELM_URL = f"{SECRETS}/sh.helm.release.v1.shop.v1"
HELM_PROTO = envelope("v1", "Secret", metadata("sh.helm.release.v1.shop.v1", "ns") + field(2, field(1, "release") + field(2, RELEASE)))


def container(**more: Any) -> dict[str, Any]:
    """A deployment with one."""
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1", **more}]}}}
    return {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "ns"}, "spec": spec}


def config(key: str, value: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "namespace": "ns"}, "data": {key: value}}


MAPS, WEB = "/api/v1/namespaces/ns/configmaps", "/apis/apps/v1/namespaces/ns/deployments/web"
KUBECONFIG = f"apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: {CANARY}\n"
EVENT = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "message": f"Error: dial redis://:{CANARY}@cache:6379"}
FAILURE = {"kind": "Status", "status": "Failure", "code": 400, "message": f'Secret "one" is invalid: token={CANARY} is no base64'}
QUOTED = b'{"kind": "Secret", "stringData": {"opaque": "' + CANARY.encode() + b'"'
HEXED = {"kind": "Status", "code": 400, "message": f"couldn't get version/kind; json parse error: invalid character ({QUOTED.hex()} …)"}


def _secrets() -> Iterator[tuple[str, Talk]]:
    """Secrets in each form and operation."""
    forms = {
        "JSON": (SECRET, JSON),
        "YAML": (YAML_SECRET, YAML),
        "protobuf": (PROTO_SECRET, PROTOBUF),
        "CBOR": (CBOR_SECRET, CBOR),
    }
    for form, (document, media_type) in forms.items():
        yield f"Secret got, {form}", got(ONE, document, media_type)
        yield f"Secret created, {form}", sent("POST", SECRETS, document, media_type)
        yield f"Secret updated, {form}", sent("PUT", ONE, document, media_type)
    yield "answer to a create", sent("POST", SECRETS, {"kind": "Secret"}, answer=SECRET)
    yield "answer to a patch", sent("PATCH", ONE, {"metadata": {"labels": {"a": "b"}}}, "application/merge-patch+json", SECRET)
    yield "answer to a delete", [(OUT, asked("DELETE", ONE)), (IN, answered(200, raw(SECRET)))]
    for form, (document, media_type) in {
        "JSON": (LIST, JSON),
        "of anything": (LISTED, JSON),
        "protobuf": (PROTO_LIST, PROTOBUF),
        "CBOR": (CBOR_LIST, CBOR),
    }.items():
        yield f"list, {form}", got(SECRETS, document, media_type)
    yield "stringData created", sent("POST", SECRETS, CLEAR)
    yield "stringData without a kind", sent("POST", SECRETS, {"stringData": {"opaque": CANARY}})


def _watches() -> Iterator[tuple[str, Talk]]:
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        line = raw({"type": kind, "object": SECRET}) + b"\n"
        yield f"watch, {kind}", watched(SECRETS, [line[:40], line[40:]], "application/json;stream=watch")
    event = watch_event("ADDED", PROTO_SECRET)
    yield "watch, protobuf", watched(SECRETS, [event[:30], event[30:]], f"{PROTOBUF};stream=watch")
    in_cbor = cbor2.dumps({"type": "ADDED", "object": {**SECRET, "data": {"opaque": CANARY.encode()}}})
    yield "watch, CBOR", watched(SECRETS, [SELF_DESCRIBED + in_cbor], "application/cbor-seq")
    yield "watch, Table", watched(SECRETS, [raw({"type": "ADDED", "object": ROWS}) + b"\n"], "application/json;stream=watch")
    yield "watch, error", watched(SECRETS, [raw({"type": "ERROR", "object": FAILURE}) + b"\n"], "application/json;stream=watch")


def _patches() -> Iterator[tuple[str, Talk]]:
    operations = {
        "adds data": {"op": "add", "path": "/data/opaque", "value": b64(CANARY)},
        "replaces stringData": {"op": "replace", "path": "/stringData/opaque", "value": CANARY},
        "tests": {"op": "test", "path": "/data/opaque", "value": b64(CANARY)},
        "replaces all": {"op": "replace", "path": "/data", "value": {"opaque": b64(CANARY)}},
        "annotates": {"op": "add", "path": "/metadata/annotations", "value": {APPLIED: json.dumps(SECRET)}},
    }
    for what, operation in operations.items():
        yield f"JSON patch {what}", sent("PATCH", ONE, [operation], "application/json-patch+json")
    for kind in ("merge", "strategic-merge"):
        yield f"{kind} patch", sent("PATCH", ONE, {"data": {"opaque": b64(CANARY)}}, f"application/{kind}-patch+json")
    yield "apply patch", sent("PATCH", ONE, YAML_SECRET, "application/apply-patch+yaml")
    yield "apply patch, CBOR", sent("PATCH", ONE, CBOR_SECRET, "application/apply-patch+cbor")
    env = [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0", "value": {"name": "DB_PASSWORD", "value": CANARY}}]
    yield "JSON patch of an env var", sent("PATCH", WEB, env, "application/json-patch+json")


def _copies() -> Iterator[tuple[str, Talk]]:
    """What kubectl apply keeps, where metadata goes."""
    yield "last applied", got(ONE, {**SECRET, "data": {}, "metadata": NOTED})
    yield "last applied, list", got(SECRETS, {**LIST, "items": [{**SECRET, "data": {}, "metadata": NOTED}]})
    yield "last applied, Table", got(SECRETS, ROWS, TABLE)
    yield "last applied, metadata alone", got(ONE, PARTIAL, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
    yield "last applied, protobuf", got(ONE, PROTO_NOTED, PROTOBUF)
    yield "last applied, patch", sent("PATCH", ONE, {"metadata": NOTED}, "application/merge-patch+json")


def _tokens() -> Iterator[tuple[str, Talk]]:
    token = "/api/v1/namespaces/ns/serviceaccounts/default/token"
    request = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    yield "TokenRequest", sent("POST", token, {**request, "spec": {}}, answer={**request, "status": {"token": CANARY}})
    review = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": CANARY}}
    yield "TokenReview", sent("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)


def _helm() -> Iterator[tuple[str, Talk]]:
    yield "helm release", got(HELM_URL, HELM)
    yield "helm release, list", got(f"{SECRETS}?labelSelector=owner%3Dhelm", {"kind": "SecretList", "items": [HELM]})
    yield "helm release, protobuf", got(HELM_URL, HELM_PROTO, PROTOBUF)
    yield "helm release, created", sent("POST", SECRETS, HELM)
    old = {**config("release", RELEASE), "metadata": {"name": "shop.v1", "labels": {"OWNER": "TILLER"}}}
    yield "helm release, old, in a ConfigMap", got(f"{MAPS}/shop.v1", old)


def _objects() -> Iterator[tuple[str, Talk]]:
    """Other objects that hold what they should not."""
    yield "ConfigMap, by name", sent("POST", MAPS, config("DB_PASSWORD", CANARY))
    yield "ConfigMap, a file", got(f"{MAPS}/c", config("app.properties", f"host=db\nspring.datasource.password={CANARY}\n"))
    yield "ConfigMap, a kubeconfig", got(f"{MAPS}/c", config("kubeconfig", KUBECONFIG))
    yield "ConfigMap, a key", sent("POST", MAPS, config("tls.pem", PEM))
    proto = envelope("v1", "ConfigMap", metadata("c", "ns") + field(2, field(1, "DB_PASSWORD") + field(2, CANARY)))
    yield "ConfigMap, protobuf", got(f"{MAPS}/c", proto, PROTOBUF)
    yield "env var", sent("PUT", WEB, container(env=[{"name": "DB_PASSWORD", "value": CANARY}]))
    yield "argument", sent("PUT", WEB, container(args=["serve", f"--api-token={CANARY}"]))
    yield "argument behind its flag", sent("PUT", WEB, container(args=["--password", CANARY]))
    yield "command", sent("PUT", WEB, container(command=["sh", "-c", f"mysql -uweb -p{CANARY} shop"]))
    probe = {"exec": {"command": ["redis-cli", "-a", CANARY, "ping"]}}
    yield "probe", sent("PUT", WEB, container(livenessProbe=probe))
    yield "custom object", sent("POST", "/apis/acme.dev/v1/namespaces/ns/databases", {"kind": "Database", "spec": {"clientSecret": CANARY}})
    storage = {"kind": "StorageClass", "parameters": {"secretAccessKey": CANARY}}
    yield "StorageClass", sent("POST", "/apis/storage.k8s.io/v1/storageclasses", storage)
    yield "Event", got("/api/v1/namespaces/ns/events", {"kind": "EventList", "items": [EVENT]})
    yield "Status", sent("POST", SECRETS, {"kind": "Secret"}, answer=FAILURE)
    yield "Status that quotes in hex", sent("POST", SECRETS, b"{", answer=HEXED)


def _texts() -> Iterator[tuple[str, Talk]]:
    """Free text on every channel, whole and cut everywhere."""
    heads = {
        "stdin": (f"{POD}/exec?command=sh&stdin=true&stdout=true", OUT, b"\x00"),
        "stdout": (f"{POD}/exec?command=sh&stdout=true", IN, b"\x01"),
        "stderr": (f"{POD}/exec?command=sh&stderr=true", IN, b"\x02"),
        "attach": (f"{POD}/attach?stdout=true", IN, b"\x01"),
    }
    for channel, (target, side, number) in heads.items():
        for kind, text in TEXTS.items():
            parts = [text.encode()[at : at + 7] for at in range(0, len(text), 7)]
            frames = [frame(side, number + part) for part in parts]
            yield f"{channel}, {kind}", [*websocket(target, CHANNELS), *frames, frame(IN, b"", 8)]
    for kind, text in TEXTS.items():
        data = text.encode()
        yield f"log, {kind}", [(OUT, asked("GET", f"{POD}/log")), (IN, answered(200, data, "text/plain"))]
        parts = chunked(200, [data[: len(data) * 2 // 3], data[len(data) * 2 // 3 :]], "text/plain")
        yield f"log that is followed, {kind}", [(OUT, asked("GET", f"{POD}/log?follow=true")), *((IN, part) for part in parts)]


def _tunnels() -> Iterator[tuple[str, Talk]]:
    line = f"password={CANARY}\n".encode()
    writer = SpdyWriter()
    opened = [(OUT, writer.opened(2 * n + 1, streamtype=kind)) for n, kind in enumerate(("error", "stdout"))]
    target = f"{POD}/exec?command=env&stdout=true"
    yield "exec over SPDY", [*spdy(target, "v4.channel.k8s.io"), *opened, (IN, strand(3, line[:14])), (IN, strand(3, line[14:], True))]
    ports = websocket(f"{POD}/portforward?ports=5432", "v4.channel.k8s.io")
    port = (5432).to_bytes(2, "little")
    begun = [frame(IN, b"\x00" + port), frame(IN, b"\x01" + port)]
    text = f"GET / HTTP/1.1\r\nAuthorization: Bearer {CANARY}\r\n\r\n".encode()
    yield "port-forward", [*ports, *begun, frame(OUT, b"\x00" + text[:40]), frame(OUT, b"\x00" + text[40:]), frame(IN, b"", 8)]
    yield "tar through exec", [*websocket(f"{POD}/exec?command=tar&stdout=true", CHANNELS), *_tar(), frame(IN, b"", 8)]
    command = f"{POD}/exec?command=mysql&command=--password%3D{CANARY}&stdout=true"
    yield "command of an exec", [*websocket(command, CHANNELS), frame(IN, b"", 8)]
    code = f"{POD}/exec?command=sh&stdout=true&stdin=true"
    asks = [frame(IN, b"\x01Password: "), frame(OUT, b"\x00" + CANARY.encode() + b"\n"), frame(IN, b"", 8)]
    yield "an answer to a question", [*websocket(code, CHANNELS), *asks]


def _tar() -> Talk:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in (("config/.env", f"DB_PASSWORD={CANARY}\n"), ("id_rsa", PEM)):
            about = tarfile.TarInfo(name)
            about.size = len(text)
            archive.addfile(about, BytesIO(text.encode()))
    whole = packed.getvalue()[:4096]
    return [frame(IN, b"\x01" + whole[at : at + 1000]) for at in range(0, len(whole), 1000)]


def _heads() -> Iterator[tuple[str, Talk]]:
    """Headers and URLs."""
    yield "Authorization", headed(Authorization=f"Bearer {CANARY}")
    yield "Authorization, Basic", headed(Authorization=f"Basic {b64(f'user:{CANARY}')}")
    yield "Proxy-Authorization", headed(Proxy_Authorization=f"Basic {b64(CANARY)}")
    yield "Cookie", headed(Cookie=f"session={CANARY}; theme=dark")
    yield "X-Remote-User", headed(X_Remote_User=CANARY)
    yield "X-Remote-Extra", headed(X_Remote_Extra_Scopes=CANARY)
    yield "X-Api-Key", headed(X_Api_Key=CANARY)
    bearer = f"base64url.bearer.authorization.k8s.io.{b64(CANARY).rstrip('=')}, {CHANNELS}"
    yield "token among subprotocols", [*websocket(f"{POD}/exec?command=ls", bearer), frame(IN, b"", 8)]
    cookie = answered(200, raw({"kind": "PodList", "items": []}), Set_Cookie=f"sid={CANARY}; Secure")
    yield "Set-Cookie", [(OUT, asked("GET", PODS)), (IN, cookie)]
    yield "URL, token", got(f"{PODS}?access_token={CANARY}", {"kind": "PodList", "items": []})
    yield "URL, JWT", got(f"/api/v1/namespaces/ns/services/web/proxy/login/{JWT}", {"ok": True})
    yield "Location", [(OUT, asked("GET", PODS)), (IN, answered(302, b"{}", Location=f"https://x.test/?token={CANARY}"))]
    elsewhere = asked("POST", f"/hook?token={CANARY}", f"password={CANARY}".encode(), Authorization=f"Bearer {CANARY}")
    yield "another host", [(OUT, elsewhere.replace(b"10.0.0.1:6443", b"evil.test")), (IN, answered(200, CANARY.encode(), "text/plain"))]
    audit = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [{"requestObject": CLEAR}]}
    webhook = asked("POST", f"/audit?token={CANARY}", raw(audit), Content_Type=JSON).replace(b"10.0.0.1:6443", b"audit.test")
    yield "an audit webhook", [(OUT, webhook), (IN, answered(200, b"{}"))]


_MADE: tuple[Callable[[], Iterator[tuple[str, Talk]]], ...] = (
    _heads, _secrets, _watches, _patches, _copies, _tokens, _helm, _objects, _texts, _tunnels,
)  # fmt: skip
PLACES: dict[str, Talk] = {name: talk for made in _MADE for name, talk in made()}
