"""Broken glass as it is stored: what agents say of their nodes, and what people said through the collector. And the question for it."""

import json
import time
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN, OVER
from chaperone.collector.store.questions import WALL_SINCE, bound, flag, row_limit
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339, time_ns
from chaperone.proto.records import BreakGlass

_FILTERS = {"since": WALL_SINCE}
PARAMETERS = frozenset(_FILTERS) | {"limit", "now"}
Rows = list[dict[str, Any]]


def node_row(record: BreakGlass, text: tuple[str, str], offset: int) -> Row:
    """{id, glass, node, time, until, who, why}, at its end {id, ended} besides. `text`: who and why, masked."""
    id_ = f"{record.glass}/{record.node}"
    document = {"id": id_, "glass": record.glass, "node": record.node, "time": rfc3339(record.time + offset)}
    document |= {"until": rfc3339(record.until + offset), "who": text[0], "why": text[1]}
    if record.ended:
        document["ended"] = rfc3339(record.ended + offset)
    return Row(Kind.GLASS, "", id_, OVER if record.ended else BEGUN, record.ended, record.time + offset, document)


def word_row(document: Mapping[str, Any]) -> Row:
    """One version of what was said through the collector (enforce/glass.py); its node is "": all, or those of `nodes`."""
    ended, id_ = str(document.get("ended", "")), str(document["id"])
    time_ = time_ns(document["time"])
    return Row(Kind.GLASS, "", id_, OVER if ended else BEGUN, time_ns(ended) if ended else 0, time_, dict(document))


def glass_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`since`, `limit` (default 100), `now` (only what is in force) → the newest, oldest first."""
    limit = row_limit(parameters, 100)
    given = bound(parameters, {key: kind for key, (kind, _) in _FILTERS.items()})
    conditions = " AND ".join(["kind = 'glass'", *(_FILTERS[key][1] for key in given)])
    newest = f"SELECT id, document, time FROM records WHERE {conditions} ORDER BY id, phase DESC, position DESC LIMIT 1 BY id"
    statement = f"SELECT document FROM ({newest}) ORDER BY time DESC, id LIMIT {{limit:UInt64}}"
    found = [json.loads(row["document"]) for row in engine.rows(statement, {**given, "limit": limit})][::-1]
    return [one for one in found if is_in_force(one)] if flag(parameters, "now") else found


def is_in_force(document: Mapping[str, Any]) -> bool:
    """Whether it goes on, by this machine's clock."""
    return not document.get("ended") and time_ns(document["until"]) > time.time_ns()
