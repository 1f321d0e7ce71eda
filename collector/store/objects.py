"""What the traffic showed of an object last: an answer to somebody who read or wrote it, masked, by the same apiserver's name."""

import json
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.bodies import with_bodies
from chaperone.collector.store.engine import Engine

LOOKED_AT = 20  # answers; kubectl often reads tables, which show no object
_KEYS = ("apiGroup", "resource", "namespace", "name", "authority")
_STATEMENT = (
    "SELECT document FROM (SELECT * FROM records WHERE kind = 'call' AND resource = {resource:String} AND name = {name:String}"
    " AND time > now() - toIntervalDay(1) ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id)"
    " WHERE api_group = {apiGroup:String} AND namespace = {namespace:String} AND subresource = '' AND code >= 200 AND code < 300"
    " AND verb IN ('get', 'create', 'update', 'patch') AND JSONExtractString(document, 'authority') = {authority:String}"
    f" ORDER BY time DESC LIMIT {LOOKED_AT}"
)


def object_before(engine: Engine, call: Mapping[str, Any]) -> Any:
    """The object that a call is about; None when it was not seen within a day."""
    wanted = {key: str(call.get(key) or "") for key in _KEYS}
    if not wanted["name"] or not wanted["resource"]:
        return None
    documents = with_bodies(engine, [json.loads(row["document"]) for row in engine.rows(_STATEMENT, wanted)])
    return next((found for document in documents if (found := _object(document, wanted["name"])) is not None), None)


def _object(document: Mapping[str, Any], name: str) -> Any:
    body = document.get("responseBody") or {}
    if body.get("encoding") != "utf-8" or not body.get("complete") or not body.get("data"):
        return None
    try:
        found = json.loads(body["data"])
    except ValueError:
        return None
    about = found.get("metadata") if isinstance(found, dict) else None
    return found if isinstance(about, dict) and about.get("name") == name and found.get("kind") != "Table" else None
