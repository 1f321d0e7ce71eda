"""Objects that clients created or deleted while the server ran: enough of an apiserver for create, apply and delete."""

import base64
import datetime
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from asked import Answer, Asked, as_json

PROTOBUF = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as JSON, and as the client sent it."""

    document: dict[str, Any]
    content_type: str
    sent: bytes


class Objects:
    """By path, such as `/api/v1/namespaces/default/secrets/db`."""

    def __init__(self) -> None:
        self._stored: dict[str, Stored] = {}
        self._deleted: set[str] = set()

    def create(self, asked: Asked) -> Answer:
        """Keep it and echo it with what a server fills in; protobuf is echoed as it came."""
        stored = _read(asked)
        metadata = stored.document.setdefault("metadata", {})
        metadata.update(uid=str(uuid.uuid4()), resourceVersion="2001", creationTimestamp=_now())
        path = f"{asked.path}/{metadata.get('name', '')}"
        self._stored[path] = stored
        self._deleted.discard(path)
        return _echo(201, stored)

    def change(self, asked: Asked, before: dict[str, Any]) -> Answer:
        """PUT replaces, PATCH merges the top levels; the answer is JSON."""
        new = _read(asked).document
        document = new if asked.method == "PUT" else merged(before, new)
        self._stored[asked.path] = Stored(document, "application/json", b"")
        return as_json(200, document)

    def delete(self, path: str) -> None:
        """Gone until it is created again."""
        self._stored.pop(path, None)
        self._deleted.add(path)

    def is_deleted(self, path: str) -> bool:
        """Was it deleted here?"""
        return path in self._deleted

    def get(self, path: str) -> dict[str, Any] | None:
        """As JSON."""
        return self._stored[path].document if path in self._stored else None

    def within(self, collection: str) -> list[dict[str, Any]]:
        """The created objects of a collection."""
        return [stored.document for path, stored in self._stored.items() if path.rsplit("/", 1)[0] == collection]

    def names_deleted(self, collection: str) -> set[str]:
        """The names of its deleted ones."""
        return {path.rsplit("/", 1)[1] for path in self._deleted if path.rsplit("/", 1)[0] == collection}


def merged(before: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386), also for what the apiserver merges more cleverly."""
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _read(asked: Asked) -> Stored:
    """Raises ValueError for what is no object."""
    sent, content_type = bytes(asked.body.start), asked.header("content-type")
    if content_type.startswith(PROTOBUF):
        return Stored(from_protobuf(sent), PROTOBUF, sent)
    document = yaml.safe_load(sent) if "yaml" in content_type else json.loads(sent)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return Stored(document, "application/json", sent)


def _echo(status: int, stored: Stored) -> Answer:
    return Answer(status, PROTOBUF, stored.sent) if stored.content_type == PROTOBUF else as_json(status, stored.document)


def from_protobuf(data: bytes) -> dict[str, Any]:
    """Name, namespace, labels, data and type of a Secret or ConfigMap in `k8s\\0` form (api/core/v1 generated.proto)."""
    if not data.startswith(MAGIC):
        raise ValueError("no k8s envelope")
    unknown = dict(_fields(data[4:]))
    kind = dict(_fields(unknown[1]))
    document: dict[str, Any] = {"kind": kind[2].decode(), "apiVersion": kind[1].decode()}
    fields = list(_fields(unknown[2]))
    document["metadata"] = _metadata(list(_fields(dict(fields)[1])))
    return document | _contents(document["kind"], fields)


def _metadata(fields: list[tuple[int, bytes]]) -> dict[str, Any]:
    names, labels = dict(fields), [dict(_fields(value)) for number, value in fields if number == 11]
    named = {"name": names.get(1, b"").decode(), "namespace": names.get(3, b"").decode() or "default"}
    return named | ({"labels": {label[1].decode(): label.get(2, b"").decode() for label in labels}} if labels else {})


def _contents(kind: str, fields: list[tuple[int, bytes]]) -> dict[str, Any]:
    pairs = [dict(_fields(value)) for number, value in fields if number == 2]
    if kind == "Secret":
        data = {pair[1].decode(): base64.b64encode(pair.get(2, b"")).decode() for pair in pairs}
        return {"data": data, "type": dict(fields).get(3, b"Opaque").decode() or "Opaque"}
    return {"data": {pair[1].decode(): pair.get(2, b"").decode() for pair in pairs}} if kind == "ConfigMap" else {}


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Length-delimited fields; varints are skipped, no other wire type occurs in what is read here."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        size, at = _varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
