"""Accesses to recordings: rows of their own kind, and the question for them."""

import json
from collections.abc import Mapping
from typing import Any

from chaperone.collector.identity.access import Access
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.questions import WALL_SINCE, bound, row_limit
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339

_FILTERS = {
    "since": WALL_SINCE,
    "session": ("id", "startsWith(session, {session:String})"),
    "user": ("text", "JSONExtractString(document, 'user') = {user:String}"),
}
ACCESS_PARAMETERS = frozenset(_FILTERS) | {"limit"}


def access_row(access: Access) -> Row:
    """{id, time, user, groups, means, question, parameters, session, allowed}."""
    caller = access.caller
    document = {
        "id": access.id,
        "time": rfc3339(access.time),
        "user": caller.name,
        "groups": sorted(caller.groups),
        "means": str(caller.means),
        "question": access.question,
        "parameters": access.parameters,
        "session": access.session,
        "allowed": access.is_allowed,
    }
    return Row(Kind.ACCESS, access.session, access.id, 0, 0, access.time, document)


def accesses_list(engine: Engine, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`since session user`, `limit` (default 1000) → the newest accesses, oldest first."""
    limit = row_limit(parameters, 1000)
    given = bound(parameters, {key: kind for key, (kind, _) in _FILTERS.items()})
    conditions = " AND ".join(["kind = 'access'", *(_FILTERS[key][1] for key in given)])
    statement = f"SELECT document FROM records WHERE {conditions} ORDER BY time DESC, id LIMIT {{limit:UInt64}}"
    return [json.loads(row["document"]) for row in engine.rows(statement, {**given, "limit": limit})][::-1]
