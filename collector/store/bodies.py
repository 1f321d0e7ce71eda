"""Large bodies leave the document under a digest, so that equal ones are stored once, and come back on demand."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chaperone.collector.store.engine import Engine

INLINE_LIMIT = 1024  # a digest and its row cost about as much as this saves
_FIELDS = ("requestBody", "responseBody", "body")


@dataclass(frozen=True, slots=True)
class StoredBody:
    """A body as the bodies table has it."""

    digest: str
    encoding: str
    data: str

    def __repr__(self) -> str:
        """Without contents."""
        return f"StoredBody({self.digest}, {len(self.data)} characters)"


def set_aside(document: dict[str, Any]) -> tuple[dict[str, Any], list[StoredBody]]:
    """The document with large bodies' data replaced by digests, and those bodies."""
    bodies = []
    for field in _FIELDS:
        body = document.get(field)
        if body and len(body["data"] or "") > INLINE_LIMIT:
            stored = StoredBody(_digest(body), body["encoding"], body["data"])
            bodies.append(stored)
            document = document | {field: {key: value for key, value in body.items() if key != "data"} | {"digest": stored.digest}}
    return document, bodies


def digests(documents: Iterable[dict[str, Any]]) -> list[str]:
    """The digests that documents refer to, each once."""
    found = {body["digest"] for document in documents for field in _FIELDS if (body := document.get(field)) and "digest" in body}
    return sorted(found)


def put_back(document: dict[str, Any], data: dict[str, str]) -> dict[str, Any]:
    """The document as it was; `data` by digest."""
    for field in _FIELDS:
        body = document.get(field)
        if body and "digest" in body:
            document = document | {field: body | {"data": data.get(body["digest"])}}
    return document


def with_bodies(engine: Engine, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents with the data of their large bodies."""
    needed = digests(documents)
    statement = "SELECT digest, data FROM bodies WHERE digest IN {needed:Array(String)} LIMIT 1 BY digest"
    data = {row["digest"]: row["data"] for row in engine.rows(statement, {"needed": needed})} if needed else {}
    return [put_back(document, data) for document in documents]


def without_data(document: dict[str, Any]) -> dict[str, Any]:
    """The document with sizes and kinds of its bodies only."""
    short = {field: {k: v for k, v in body.items() if k not in ("data", "digest")} for field in _FIELDS if (body := document.get(field))}
    return document | short


def _digest(body: dict[str, Any]) -> str:
    digest = hashlib.blake2b(digest_size=16, person=b"chaperone-body")
    digest.update(body["encoding"].encode() + b"\0" + body["data"].encode(errors="replace"))
    return digest.hexdigest()
