"""What sessions did since a time: how many calls of which kind, for people who ask what the agents did today."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.clock import SINCE, STEADY, UNTIL, clocks
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.questions import bound
from chaperone.collector.store.summary import merged

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READS = frozenset({"get", "list", "watch"})
INSIDE = frozenset({"exec", "attach"})
REVIEWS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})  # what is posted there is a question
STREAMED = INSIDE | {"portforward", "proxy"}  # what is posted there creates nothing
UNANSWERED = "(code IS NULL AND JSONHas(document, 'denied'))"  # its connection ended before it left
_KINDS = (
    "SELECT session, verb, api_group, resource, subresource, count() AS calls,"
    f" countIf(code = 403 OR {UNANSWERED}) AS denied,"
    " countIf(code >= 400 AND code != 403) AS failed FROM"
    " (SELECT * FROM records WHERE kind = 'call' AND {times} ORDER BY session, id, phase DESC, position DESC LIMIT 1 BY session, id)"
    " GROUP BY session, verb, api_group, resource, subresource ORDER BY session, calls DESC"
)
_ALERTS = (
    "SELECT session, uniqExact(id) AS alerts FROM records WHERE kind = 'verdict' AND {times}"
    " AND JSONExtractString(document, 'action') != 'allow' GROUP BY session"
)
_TIMES = {"since": SINCE, "until": UNTIL}
_BEGUN = f"SELECT session, min({STEADY}) AS at FROM records WHERE kind = 'session' GROUP BY session"


def sessions_activity(engine: Engine, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`since`, `until` → {session, workload, user, argv, time, calls, verbs, resources, writes, secretsRead, exec, denied, failed, alerts}
    of each session with a call or an alert in that time, the one that began last at the end. `verbs` and `resources` are counts by name;
    `writes`, `secretsRead` and `exec` count what was not refused."""
    begun = {row["session"]: row["at"] for row in engine.rows(_BEGUN, clocks(engine))}
    given = bound(parameters, {"since": "time", "until": "time"})
    times = " AND ".join(["true", *(_TIMES[key] for key in given)])
    given |= clocks(engine)
    groups: dict[str, list[dict[str, Any]]] = {}
    alerts = {row["session"]: row["alerts"] for row in engine.rows(_ALERTS.replace("{times}", times), given)}
    for row in engine.rows(_KINDS.replace("{times}", times), given):
        groups.setdefault(row["session"], []).append(row)
    sessions = [*groups, *(alerts.keys() - groups.keys())]
    found = [_about(engine, one) | _counts(groups.get(one, [])) | {"alerts": alerts.get(one, 0)} for one in sessions]
    return sorted(found, key=lambda one: (begun.get(one["session"], 0), one["session"]))


def _about(engine: Engine, session: str) -> dict[str, Any]:
    found = (merged(engine, session, ["session"]) or [{}])[0]
    keys = {"workload": "", "user": "", "argv": [], "time": ""}
    return {"session": session, **{key: found.get(key) or default for key, default in keys.items()}}


def _counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    verbs, resources = Counter[str](), Counter[str]()
    for row in rows:
        verbs[row["verb"]] += row["calls"]
        resources[_name(row)] += row["calls"]
    return {
        "calls": sum(row["calls"] for row in rows),
        "verbs": dict(verbs.most_common()),
        "resources": dict(resources.most_common()),
        "writes": sum(map(_done, filter(_writes, rows))),
        "secretsRead": sum(map(_done, filter(_reads_secrets, rows))),
        "exec": sum(map(_done, filter(_goes_inside, rows))),
        "denied": sum(row["denied"] for row in rows),
        "failed": sum(row["failed"] for row in rows),
    }


def _name(row: dict[str, Any]) -> str:
    group = f".{row['api_group']}" if row["api_group"] else ""
    return "/".join(part for part in (row["resource"] + group, row["subresource"]) if part) or "(no resource)"


def _done(row: dict[str, Any]) -> int:
    return int(row["calls"] - row["denied"] - row["failed"])


def _writes(row: dict[str, Any]) -> bool:
    return row["verb"] in WRITES and row["subresource"] not in STREAMED and row["api_group"] not in REVIEWS


def _reads_secrets(row: dict[str, Any]) -> bool:
    return row["verb"] in READS and (row["api_group"], row["resource"]) == ("", "secrets")


def _goes_inside(row: dict[str, Any]) -> bool:
    return row["resource"] == "pods" and row["subresource"] in INSIDE
