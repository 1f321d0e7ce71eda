"""Changes of policies as they are stored (ingest/history.py), asked for, and the last that is known of each source."""

import json
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN
from chaperone.collector.store.questions import WALL_SINCE, bound, row_limit
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import time_ns

_FILTERS = {
    "since": WALL_SINCE,
    "policy": ("text", "has(JSONExtract(document, 'policies', 'Array(String)'), {policy:String})"),
    "source": ("text", "JSONExtractString(document, 'source') = {source:String}"),
}
PARAMETERS = frozenset(_FILTERS) | {"limit"}
_NEWEST = (
    "SELECT document FROM records WHERE kind = 'policy' AND JSONExtractString(document, 'what') != 'refused'"
    " ORDER BY time DESC, id LIMIT 1 BY JSONExtractString(document, 'source')"
)


def policy_row(document: Mapping[str, Any]) -> Row:
    """A change."""
    return Row(Kind.POLICY, "", str(document["id"]), BEGUN, 0, time_ns(document["time"]), dict(document))


def policies_history(engine: Engine, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`since`, `policy`, `source`, `limit` (default 100) → the newest changes, oldest first, without the texts."""
    limit = row_limit(parameters, 100)
    given = bound(parameters, {key: kind for key, (kind, _) in _FILTERS.items()})
    conditions = " AND ".join(["kind = 'policy'", *(_FILTERS[key][1] for key in given)])
    statement = f"SELECT document FROM records WHERE {conditions} ORDER BY time DESC, id LIMIT {{limit:UInt64}}"
    found = [json.loads(row["document"]) for row in engine.rows(statement, {**given, "limit": limit})]
    return [{key: value for key, value in one.items() if key != "text"} for one in found][::-1]


def known_policies(engine: Engine) -> dict[str, str]:
    """The text of each source that there was, by its name."""
    found = [json.loads(row["document"]) for row in engine.rows(_NEWEST)]
    return {one["source"]: one["text"] for one in found if one["what"] != "removed"}
