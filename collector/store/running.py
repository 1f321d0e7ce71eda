"""What goes on now, and what rules did of late."""

from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.summary import merged

Rows = list[dict[str, Any]]
OPEN = (
    "SELECT session FROM records WHERE kind = 'session' AND time > now() - toIntervalHour(25)"  # one lasts a day at most
    " GROUP BY session HAVING max(phase) < 4"
)
_COUNTS = (
    "SELECT JSONExtractString(document, 'rule') AS rule, JSONExtractString(document, 'policy') AS policy,"
    " JSONExtractString(document, 'action') AS action, JSONExtractString(document, 'effective') AS effective, count() AS matched,"
    " countIf(JSONExtractString(document, 'notCarriedOut') = '') AS carriedOut, max(JSONExtractString(document, 'time')) AS last"
    " FROM (SELECT document FROM records WHERE kind = 'verdict' AND time > now() - toIntervalDay(1) LIMIT 1 BY session, id)"
    " GROUP BY rule, policy, action, effective ORDER BY matched DESC, policy, rule"
)


def sessions_open(engine: Engine, _parameters: Mapping[str, Any]) -> Rows:
    """Nothing → {session, workload, time} of each session that goes on, the one that began first first."""
    documents = [{"id": row["session"]} | merged(engine, row["session"], ["session"])[0] for row in engine.rows(OPEN)]
    rows = [{"session": one["id"], "workload": _named(one), "time": one.get("time", "")} for one in documents]
    return sorted(rows, key=lambda row: (row["time"], row["session"]))


def rules_counts(engine: Engine, _parameters: Mapping[str, Any]) -> Rows:
    """Nothing → {rule, policy, action, effective, matched, carriedOut, last} of each rule that said something within a day."""
    return engine.rows(_COUNTS)


def _named(session: Mapping[str, Any]) -> str:
    pod = session.get("lookedUp") or {}
    return f"{pod['pod']}/{pod['container']}" if pod.get("pod") else str(session.get("workload", ""))
