"""Approvals as they are stored, asked for, and taken up again by a restarted collector. Documents: enforce/approvals/document.py."""

import json
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.arrivals import AFTER, CURSOR, settled
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN
from chaperone.collector.store.questions import WALL_SINCE, bound, number, row_limit
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import time_ns

DAYS = 3  # one waits a day at most to be given, and then a day to be used
_FILTERS = {
    "since": WALL_SINCE,
    "session": ("id", "startsWith(session, {session:String})"),
    "id": ("id", "startsWith(id, {id:String})"),
    "state": ("text", "JSONExtractString(document, 'state') = {state:String}"),
    "rule": ("text", "JSONExtractString(document, 'alert', 'rule') = {rule:String}"),
}
PARAMETERS = frozenset(_FILTERS) | {"limit", "after"}


def approval_row(document: Mapping[str, Any]) -> Row:
    """One version."""
    time, version = time_ns(document["time"]), int(document["version"])
    key = Kind.APPROVAL, str(document["session"]), str(document["id"])
    return Row(*key, BEGUN, version, time, dict(document), stream=str(document["stream"]), call=str(document["call"]))


def approvals_list(engine: Engine, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`session since id state rule`, `limit` (default 1000) → the newest approvals as they are now, oldest first. To follow, ask again
    with `after`, the highest `cursor` so far: then they come in order of their last change."""
    limit = row_limit(parameters, 1000)
    given = bound(parameters, {key: kind for key, (kind, _) in _FILTERS.items()})
    after, order = (number(parameters, "after"), "arrived") if "after" in parameters else (0, "time DESC, id")
    conditions = " AND ".join([_FILTERS[key][1] for key in given] + [AFTER if "after" in parameters else "true"])
    statement = f"SELECT document, {CURSOR} AS cursor FROM approvals WHERE {conditions} ORDER BY {order} LIMIT {{limit:UInt64}}"
    found = [
        json.loads(row["document"]) | {"cursor": row["cursor"]}
        for row in engine.rows(statement, {**given, **settled(engine), "after": after, "limit": limit})
    ]
    return found if "after" in parameters else found[::-1]


def recent_approvals(engine: Engine, boot: str = "") -> list[dict[str, Any]]:
    """All that may still matter to a request, or to one of this boot of a node; oldest first."""
    its = "({boot:String} = '' OR session IN (SELECT session FROM records WHERE kind = 'session' AND boot = {boot:String}))"
    statement = f"SELECT document FROM approvals WHERE time > now() - toIntervalDay({{days:UInt64}}) AND {its} ORDER BY time, id"
    return [json.loads(row["document"]) for row in engine.rows(statement, {"days": DAYS, "boot": boot})]
