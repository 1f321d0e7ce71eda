"""Which answer a request gets: recorded, of an object made meanwhile, a watch, or a 404 Status."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import watch
from asked import Answer, Asked, as_json, failure
from objects import Objects
from recorded import Recorded, accepted

BLOCK = hashlib.shake_256(b"chaperone demo").digest(65536)
VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
APPLY = "application/apply-patch+yaml"
OPENAPI = {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=DEMO"} for path in ("api/v1", "apis/apps/v1")}}


@dataclass(frozen=True, slots=True)
class Place:
    """A resource path: `/api/v1/namespaces/default/secrets/db-cred` and the like."""

    group: str
    namespace: str
    resource: str
    name: str

    @staticmethod
    def of(path: str) -> "Place | None":
        """None for a path that names no resource."""
        parts = path.strip("/").split("/")
        if parts[0] not in {"api", "apis"} or len(parts) < (3 if parts[0] == "api" else 4):
            return None
        group, parts = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        namespace, parts = (parts[1], parts[2:]) if parts[0] == "namespaces" and len(parts) > 2 else ("", parts)
        return Place(group, namespace, parts[0], parts[1] if len(parts) > 1 else "")


class Api:
    """The server's whole state: what was recorded and what clients made since."""

    def __init__(self, recorded: Recorded, pause_s: float, events: int) -> None:
        self._recorded = recorded
        self._objects = Objects()
        self._pause_s, self._count = pause_s, events

    def answer(self, asked: Asked) -> Answer:
        """Never raises for anything a client sends."""
        place = Place.of(asked.path)
        if place is None:
            return self._plain(asked)
        if user := _refused(asked):
            return _forbidden(asked, place, user)
        try:
            return self._resource(asked, place)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            return failure(400, "BadRequest", f"the object provided is unrecognized: {type(error).__name__}", {})

    def _plain(self, asked: Asked) -> Answer:
        if asked.path in {"/healthz", "/livez", "/readyz"}:
            return Answer(200, "text/plain; charset=utf-8", b"ok")
        if asked.path == "/demo/bytes":
            return _bytes(asked)
        if asked.path == "/demo/swallow":
            return as_json(200, {"size": asked.body.size, "sha256": asked.body.sha256()})
        if asked.path == "/openapi/v3":
            return as_json(200, OPENAPI)
        found = self._recorded.answer(asked) if asked.method in {"GET", "HEAD"} else None
        return found or Answer(404, "text/plain; charset=utf-8", b"404 page not found\n")

    def _resource(self, asked: Asked, place: Place) -> Answer:
        if asked.method == "POST":
            return self._objects.create(asked)
        if asked.method in {"PUT", "PATCH"}:
            return self._change(asked, place)
        if asked.method == "DELETE":
            return self._delete(asked, place)
        return self._read(asked, place)

    def _change(self, asked: Asked, place: Place) -> Answer:
        """What is applied by the server (Helm 4 does so) is made when it is not there."""
        before = self._document(asked.path)
        is_made = before is None and asked.header("content-type").startswith(APPLY)
        return self._objects.change(asked, before or {}) if before or is_made else _missing(place)

    def _delete(self, asked: Asked, place: Place) -> Answer:
        document = self._document(asked.path)
        if document is None:
            return _missing(place)
        self._objects.delete(asked.path)
        details = {"name": place.name, "kind": place.resource, "uid": document["metadata"].get("uid", "")}
        return as_json(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _read(self, asked: Asked, place: Place) -> Answer:
        if asked.query.get("watch", ["0"])[0] not in {"0", "false"}:
            return self._watch(asked, place)
        if place.name and (self._objects.is_deleted(asked.path) or self._objects.get(asked.path)):
            document = self._objects.get(asked.path)
            return as_json(200, document) if document else _missing(place)
        found = self._recorded.answer(asked)
        if found is None:
            return _missing(place) if place.name else as_json(200, self._listed(asked.path, place))
        changed = self._objects.within(asked.path) or self._objects.names_deleted(asked.path) or "labelSelector" in asked.query
        return self._with_changes(asked) if changed and not place.name else found

    def _with_changes(self, asked: Asked) -> Answer:
        """A recorded list or Table, with what was created and without what was deleted, or was not asked for."""
        path = asked.path
        document, gone = self._recorded.document(path, self._recorded.form(asked)), self._objects.names_deleted(path)
        items = document["rows" if "rows" in document else "items"]
        made = {item["metadata"]["name"]: item for item in self._objects.within(path)}
        items[:] = [item for item in items if item.get("object", item)["metadata"]["name"] not in gone | made.keys()]
        items += [_row(item, document) if "rows" in document else item for item in made.values()]
        items[:] = [item for item in items if _is_selected(item.get("object", item), asked)]
        return as_json(200, document)

    def _listed(self, path: str, place: Place) -> dict[str, Any]:
        """A list of what nothing was recorded of."""
        items = self._objects.within(path)
        kind = items[0]["kind"] if items else place.resource.capitalize().removesuffix("s")
        return {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {"resourceVersion": "2001"}, "items": items}

    def _document(self, path: str) -> dict[str, Any] | None:
        """The object as JSON, None if there is none."""
        if (made := self._objects.get(path)) or self._objects.is_deleted(path):
            return made
        return self._recorded.item(path)

    def _watch(self, asked: Asked, place: Place) -> Answer:
        is_pods = place.resource == "pods" and place.namespace in {"", "default"}
        table = self._recorded.document("/api/v1/pods", "table")
        events = watch.pods(table, "table" in accepted(asked), self._count) if is_pods else []
        return Answer(200, "application/json", parts=watch.paced(events, self._pause_s))


def _refused(asked: Asked) -> str:
    """The user that may do nothing, "" when the caller may."""
    if not asked.header("authorization"):
        return "system:anonymous"
    return asked.header("impersonate-user")


def _forbidden(asked: Asked, place: Place, user: str) -> Answer:
    verb = VERBS.get(asked.method, "")
    verb = "list" if verb == "get" and not place.name else verb
    scope = f' in the namespace "{place.namespace}"' if place.namespace else " at the cluster scope"
    what = f'{place.resource} "{place.name}"' if place.name else place.resource
    message = f'{what} is forbidden: User "{user}" cannot {verb} resource "{place.resource}" in API group "{place.group}"{scope}'
    return failure(403, "Forbidden", message, _details(place))


def _missing(place: Place) -> Answer:
    kind = f"{place.resource}.{place.group}" if place.group else place.resource
    return failure(404, "NotFound", f'{kind} "{place.name}" not found', _details(place))


def _details(place: Place) -> dict[str, str]:
    """Of a Status; empty ones are left out."""
    details = {"name": place.name, "group": place.group, "kind": place.resource}
    return {key: value for key, value in details.items() if value}


def _is_selected(item: dict[str, Any], asked: Asked) -> bool:
    """By a labelSelector of NAME=VALUE, which is all that Helm asks for."""
    wanted = dict(pair.split("=", 1) for words in asked.query.get("labelSelector", ()) for pair in words.split(",") if "=" in pair)
    labels = item["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def _row(item: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """A Table row: the name, the known cells, `<none>` elsewhere."""
    known = {"Name": item["metadata"]["name"], "Type": item.get("type", ""), "Data": len(item.get("data") or {}), "Age": "1s"}
    metadata = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
    return {"cells": [known.get(column["name"], "<none>") for column in table["columnDefinitions"]], "object": metadata}


def _bytes(asked: Asked) -> Answer:
    """`/demo/bytes?size=N[&chunked=1]`: N bytes, always the same ones."""
    try:
        size = int(asked.query["size"][0])
    except (KeyError, ValueError):
        return Answer(400, "text/plain; charset=utf-8", b"size=N is missing\n")
    headers = {} if "chunked" in asked.query else {"Content-Length": str(size)}
    return Answer(200, "application/octet-stream", parts=_blocks(size), headers=headers)


async def _blocks(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, len(BLOCK)):
        yield BLOCK[: size - at]
