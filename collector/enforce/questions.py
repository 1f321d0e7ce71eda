"""What may be asked about alerts, and said: `alerts.list`, `alerts.ack`. Rows are JSON objects.

An alert's row is its document (docs/alert.schema.json) with `count`, `first`, `last`, `latest` (of the last one alike), `acked`,
`deliveries` ([{receiver, state, told, why}]) and `cursor`, the highest of which is `after` in the next question.
"""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from chaperone.collector.enforce.outbox import Outbox
from chaperone.collector.enforce.routes import RANK
from chaperone.collector.parameters import object_in
from chaperone.collector.times import SECOND, rfc3339

LIMIT = 10_000
Rows = list[dict[str, Any]]
_TEXTS = {
    "rule": "rule = :rule",
    "policy": "policy = :policy",
    "session": "substr(session, 1, length(:session)) = :session",
    "id": "substr(id, 1, length(:id)) = :id",
}


def ask(outbox: Outbox, name: str, parameters: str, now: int) -> Rows:
    """Answer. ValueError with one sentence when there is no such question or parameter."""
    if name not in QUESTIONS:
        raise ValueError(f"no question is called {name!r}; there are {', '.join(QUESTIONS)}")
    (question, allowed), given = QUESTIONS[name], object_in(parameters)
    if not given.keys() <= allowed:
        raise ValueError(f"expected a JSON object with some of {', '.join(sorted(allowed))}")
    return question(outbox, {key: value for key, value in given.items() if value is not None}, now)


def alerts_list(outbox: Outbox, given: Mapping[str, Any], now: int) -> Rows:
    """`since severity` (at least) `rule policy session id` (beginnings) `unacked limit after` → alerts, oldest first."""
    conditions, bound = _conditions(given)
    order = "changed" if "after" in given else "n DESC"
    statement = f"SELECT * FROM alerts WHERE {' AND '.join(['true', *conditions])} ORDER BY {order} LIMIT :limit"
    found = outbox.rows(statement, {**bound, "limit": _number(given.get("limit", 1000), LIMIT)})
    return [_row(outbox, row) for row in (found if "after" in given else found[::-1])]


def alerts_ack(outbox: Outbox, given: Mapping[str, Any], now: int) -> Rows:
    """`ids` (beginnings, each of one alert) or `all: true` → the alerts that are acknowledged now. No more like them are told."""
    ids = (
        [row["id"] for row in outbox.rows("SELECT id FROM alerts WHERE acked_ns IS NULL")]
        if given.get("all") is True
        else _ids(outbox, given)
    )
    with outbox.change():
        for id_ in ids:
            statement = "UPDATE alerts SET acked_ns = :now, changed = :changed WHERE id = :id AND acked_ns IS NULL"
            outbox.run(statement, {"id": id_, "now": now, "changed": outbox.changed()})
            known = "n = (SELECT n FROM alerts WHERE id = :id) AND state = 'waiting' AND told > 0"
            outbox.run(f"UPDATE deliveries SET state = 'told' WHERE {known}", {"id": id_})
    return [_row(outbox, row) for id_ in ids for row in outbox.rows("SELECT * FROM alerts WHERE id = :id", {"id": id_})]


def the_one(ids: Collection[str], wanted: str) -> str:
    """Of alerts whose ids begin so. ValueError when there is none, or several."""
    if len(ids) != 1:
        raise ValueError(f"{'no alert has an id that begins' if not ids else 'several alerts have ids that begin'} with {wanted!r}")
    return next(iter(ids))


_FILTERS = frozenset({"since", "severity", "unacked", "after", *_TEXTS})
QUESTIONS: dict[str, tuple[Callable[[Outbox, Mapping[str, Any], int], Rows], frozenset[str]]] = {
    "alerts.list": (alerts_list, _FILTERS | {"limit"}),
    "alerts.ack": (alerts_ack, frozenset({"ids", "all"})),
}


def _conditions(given: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    found: dict[str, Any] = {key: _text(given[key]) for key in _TEXTS if key in given}
    conditions = [_TEXTS[key] for key in found]
    if "since" in given:
        conditions, found = [*conditions, "last_ns >= :since"], {**found, "since": _instant(_text(given["since"]))}
    if "severity" in given:
        conditions, found = [*conditions, "severity >= :severity"], {**found, "severity": _severity(given["severity"])}
    if "after" in given:
        conditions, found = [*conditions, "changed > :after"], {**found, "after": _number(given["after"], 2**62)}
    return [*conditions, "acked_ns IS NULL"] if given.get("unacked") else conditions, found


def _ids(outbox: Outbox, given: Mapping[str, Any]) -> list[str]:
    wanted = given.get("ids")
    if not isinstance(wanted, list) or not wanted:
        raise ValueError("expected ids: a list of alerts' ids or their beginnings")
    return [_id(outbox, _text(one)) for one in wanted]


def _id(outbox: Outbox, wanted: str) -> str:
    found = outbox.rows("SELECT id FROM alerts WHERE substr(id, 1, length(:id)) = :id LIMIT 2", {"id": wanted})
    return the_one([row["id"] for row in found], wanted)


def _row(outbox: Outbox, row: Mapping[str, Any]) -> dict[str, Any]:
    statement = "SELECT receiver, state, told, why FROM deliveries WHERE n = :n ORDER BY receiver"
    return {
        **json.loads(row["document"]),
        "count": row["count"],
        "first": rfc3339(row["first_ns"]),
        "last": rfc3339(row["last_ns"]),
        "latest": json.loads(row["last"]),
        "acked": None if row["acked_ns"] is None else rfc3339(row["acked_ns"]),
        "deliveries": outbox.rows(statement, {"n": row["n"]}),
        "cursor": row["changed"],
    }


def _instant(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text.partition(".")[0].removesuffix("Z")).replace(tzinfo=UTC).timestamp()) * SECOND
    except (ValueError, OverflowError):
        raise ValueError("since must be a time like 2026-01-02T03:04:05Z") from None


def _severity(value: Any) -> int:
    if value not in RANK:
        raise ValueError(f"severity must be one of {', '.join(RANK)}")
    return RANK[value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


def _number(value: Any, highest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise ValueError(f"expected a whole number from 0 to {highest}")
    return value
