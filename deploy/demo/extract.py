"""Recordings → answers/: what the demo API server says, taken once from real answers of a kube-apiserver.

    python deploy/demo/extract.py ../shared/fixtures/wire deploy/demo/answers

Run by hand; the result is committed. OpenAPI documents are cut down to what `kubectl apply` asks of them.
"""

import base64
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame

PREFACE = 24
# recording, path without query, file to write (its second-last suffix is the form it is served as)
WANTED = [
    ("kubectl-get-pods.1", "/api", "api.discovery.json"),
    ("kubectl-get-pods.1", "/apis", "apis.discovery.json"),
    ("helm-install.1", "/version", "version.json"),
    ("kubectl-get-pods.1", "/api/v1/pods", "pods.table.json"),
    ("kubectl-get-pods-json.1", "/api/v1/pods", "pods.json"),
    ("kubectl-exec-ws.1", "/api/v1/namespaces/default/pods/agent", "default.pods.agent.json"),
    ("kubectl-cp.1", "/api/v1/namespaces/default/pods/agent", "default.pods.agent.protobuf.bin"),
    ("kubectl-get-secrets-table.1", "/api/v1/namespaces/default/secrets", "default.secrets.table.json"),
    ("curl-h1.1", "/api/v1/namespaces/default/secrets", "default.secrets.json"),
    ("kubectl-get-secret-yaml.1", "/api/v1/namespaces/default/secrets/db-cred", "default.secrets.db-cred.json"),
    ("curl-protobuf-secret.1", "/api/v1/namespaces/default/secrets/db-cred", "default.secrets.db-cred.protobuf.bin"),
    ("curl-yaml.1", "/api/v1/namespaces/default/secrets/db-cred", "default.secrets.db-cred.yaml"),
    ("kubectl-list-gzip.1", "/api/v1/namespaces/default/configmaps", "default.configmaps.json.gz"),
    ("kubectl-patch.1", "/apis/apps/v1/namespaces/default/deployments/web", "default.deployments.web.json"),
    ("py-asyncio.6", "/api/v1/nodes", "nodes.json"),
    ("kubectl-logs-follow.1", "/api/v1/namespaces/default/pods/web-5b8b5f6f8f-gfvjk/log", "default.pods.web.log.txt"),
    ("helm-install.1", "/openapi/v3/api/v1", "openapi.v1.json"),
    ("kubectl-apply.1", "/openapi/v3/apis/apps/v1", "openapi.apps.v1.json"),
]
# Recorded at one path, true of another: all pods of that cluster were in `default`.
ALSO = {
    "/api/v1/pods": "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/pods/web-5b8b5f6f8f-gfvjk/log": "/api/v1/namespaces/default/pods/agent/log",
}
KEPT_KINDS = {"ConfigMap", "Secret", "Deployment"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer of a recording."""

    path: str
    status: int
    content_type: str
    body: bytes


def main(recordings: Path, answers: Path) -> None:
    """Write every wanted answer and index.json."""
    index = []
    for name, path, file in WANTED:
        found = next(answer for answer in read(recordings / f"{name}.jsonl.gz") if answer.path == path and answer.status == 200)
        (answers / file).write_bytes(_changed(path, found.body))
        paths = [path, ALSO[path]] if path in ALSO else [path]
        index += [{"path": served, "file": file, "type": found.content_type, "form": form(file)} for served in paths]
    (answers / "index.json").write_text("[\n" + ",\n".join(json.dumps(entry) for entry in index) + "\n]\n")


def _changed(path: str, body: bytes) -> bytes:
    """OpenAPI is cut down; the recorded server was built without a version, which `kubectl version` cannot read."""
    if path == "/version":
        return json.dumps(json.loads(body) | {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}, indent=2).encode()
    return cut_openapi(body) if path.startswith("/openapi") else body


def form(file: str) -> str:
    """How the answer is asked for: json, table, discovery, protobuf, yaml or text."""
    known = {".table.": "table", ".discovery.": "discovery", ".protobuf.": "protobuf", ".yaml": "yaml", ".txt": "text"}
    return next((name for part, name in known.items() if part in file), "json")


def read(recording: Path) -> list[Recorded]:
    """The answers of one recorded connection, HTTP/2 or HTTP/1.1."""
    sides = {"c2s": b"", "s2c": b""}
    with gzip.open(recording) as lines:
        for line in map(json.loads, lines):
            sides[line.get("d", "c2s")] += base64.b64decode(line.get("b", ""))
    return list((_http2 if sides["c2s"].startswith(b"PRI ") else _http1)(sides["c2s"], sides["s2c"]))


def _http2(out: bytes, back: bytes) -> Iterator[Recorded]:
    requests, answers = _messages(out[PREFACE:]), _messages(back)
    for number, (head, body) in answers.items():
        path = requests[number][0][":path"].split("?")[0]
        yield Recorded(path, int(head[":status"]), head.get("content-type", ""), body)


def _messages(data: bytes) -> dict[int, tuple[dict[str, str], bytes]]:
    decoder, messages = hpack.Decoder(), {}
    while len(data) >= 9:
        frame, size = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        data = data[9 + size :]
        head, body = messages.get(frame.stream_id, ({}, b""))
        if isinstance(frame, HeadersFrame):
            head = head | dict(decoder.decode(frame.data))
        messages[frame.stream_id] = (head, body + (frame.data if isinstance(frame, DataFrame) else b""))
    return {number: message for number, message in messages.items() if message[0]}


def _http1(out: bytes, back: bytes) -> Iterator[Recorded]:
    """Of a connection with a single request."""
    target = out.split(b" ", 2)[1].decode().split("?")[0]
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target=target, headers=[("Host", "recorded")]))
    client.send(h11.EndOfMessage())
    client.receive_data(back)
    response: Any = client.next_event()
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    yield Recorded(target, response.status_code, dict(response.headers).get(b"content-type", b"").decode(), body)


def cut_openapi(body: bytes) -> bytes:
    """Only paths of the kept kinds, and the schemas they name."""
    document = json.loads(body)
    document["paths"] = {path: item for path, item in document["paths"].items() if _kinds(item) & KEPT_KINDS and "{namespace}" in path}
    schemas, wanted = document["components"]["schemas"], set(_references(document["paths"]))
    while more := {name for kept in wanted for name in _references(schemas[kept])} - wanted:
        wanted |= more
    document["components"] = {"schemas": {name: schemas[name] for name in sorted(wanted)}}
    return json.dumps(_without_descriptions(document)).encode()


def _kinds(item: dict[str, Any]) -> set[str]:
    return {
        operation["x-kubernetes-group-version-kind"]["kind"]
        for operation in item.values()
        if "x-kubernetes-group-version-kind" in operation
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference.rsplit("/", 1)[1]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_descriptions(inner) for key, inner in value.items() if not (key == "description" and isinstance(inner, str))}
    return [_without_descriptions(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
