"""Questions about verdicts, and about what was judged: the same events again, in the order and at the times of their judging.

What no collector judged (an older recording; pieces that no rule asked about) is put among the rest by its time.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chaperone.collector.rules.event import Subject, moments_of
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.store.arrivals import AFTER, CURSOR, settled
from chaperone.collector.store.bodies import with_bodies
from chaperone.collector.store.clock import SHIFT, SINCE, STEADY, UNTIL, clocks
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.questions import bound, names, number, row_limit
from chaperone.collector.store.summary import merged
from chaperone.collector.times import rfc3339, time_ns

Rows = list[dict[str, Any]]
Named = tuple[str, str, int]  # subject, key, moment
Candidates = dict[Named, tuple[int, int, str]]  # time, from it to the steady time, call of a piece
KEY_LIMIT = 10_000  # documents asked for at once

_VERDICT_FILTERS = {
    "since": ("time", SINCE),
    "until": ("time", UNTIL),
    "session": ("id", "startsWith(session, {session:String})"),
    "call": ("id", "startsWith(call, {call:String})"),
    "id": ("id", "startsWith(id, {id:String})"),
    "rule": ("text", "JSONExtractString(document, 'rule') = {rule:String}"),
    "action": ("text", "JSONExtractString(document, 'action') = {action:String}"),
    "severity": ("text", "JSONExtractString(document, 'severity') = {severity:String}"),
}
VERDICT_PARAMETERS = frozenset(_VERDICT_FILTERS) | {"limit", "after"}


def verdicts_list(engine: Engine, parameters: Mapping[str, Any]) -> Rows:
    """`session since until call id rule action severity`, `limit` (default 1000) → the newest verdicts, oldest first (store/verdicts.py).
    To follow, ask again with `after`: the highest `cursor` of the rows so far."""
    limit = row_limit(parameters, 1000)
    given = bound(parameters, {key: kind for key, (kind, _) in _VERDICT_FILTERS.items()})
    conditions = " AND ".join(["kind = 'verdict'", *(_VERDICT_FILTERS[key][1] for key in given)])
    after, order = (number(parameters, "after"), "arrived") if "after" in parameters else (0, "at DESC, id")
    once = f"SELECT * FROM records WHERE {conditions} ORDER BY arrived LIMIT 1 BY session, id"  # said again, it is not new
    late = AFTER if "after" in parameters else "true"
    news = f"SELECT document, {CURSOR} AS cursor, {STEADY} AS at FROM ({once}) WHERE {late}"
    statement = f"{news} ORDER BY {order} LIMIT {{limit:UInt64}}"
    rows = engine.rows(statement, {**given, **clocks(engine), **settled(engine), "limit": limit, "after": after})
    found = [json.loads(row["document"]) | {"cursor": row["cursor"], "at": rfc3339(row["at"])} for row in rows]
    return found if "after" in parameters else found[::-1]


def events_list(engine: Engine, session: str) -> Rows:
    """All that rules can be asked about in a session, in order: {subject, key, moment, time (wall-clock ns), lookup, call (of a piece)}.
    Their documents: `events.documents`."""
    judged = _judged(engine, session)
    candidates = {**_calls(engine, session), **_pieces(engine, session), **_exchanges(engine, session), **_leaks(engine, session)}
    at = 0
    keyed: list[tuple[tuple[int, int, int], Named, dict[str, Any]]] = []
    for ordinal, (named, (time, shift, lookup)) in enumerate(judged.items()):
        at = max(at, time + shift)
        call = candidates.pop(named, (0, 0, ""))[2]
        keyed.append(((at, 0, ordinal), named, {"time": time, "lookup": lookup, "call": call}))
    for named, (time, shift, call) in candidates.items():
        keyed.append(((time + shift, 1, named[2]), named, {"time": time, "lookup": {}, "call": call}))
    return [{"subject": n[0], "key": n[1], "moment": n[2], **about} for _, n, about in sorted(keyed, key=lambda entry: entry[0])]


def events_documents(engine: Engine, parameters: Mapping[str, Any], session: str) -> Rows:
    """`session`, `things` (ids of calls, exchanges and connections), `pieces` → {key, document}, whole, with the call of each piece."""
    things, pieces = names(parameters, "things", KEY_LIMIT), names(parameters, "pieces", KEY_LIMIT)
    statement = (
        "SELECT kind, id, document FROM records WHERE session = {session:String}"
        " AND kind IN ('call', 'exchange', 'connection', 'piece', 'leak') AND id IN {ids:Array(String)}"
        " ORDER BY id, kind, phase DESC, position DESC LIMIT 1 BY id"
    )
    rows = engine.rows(statement, {"session": session, "ids": [*things, *pieces]})
    documents = with_bodies(engine, [json.loads(row["document"]) for row in rows])
    return [{"key": row["id"], "document": document} for row, document in zip(rows, documents, strict=True)]


def session_document(engine: Engine, session: str) -> dict[str, Any]:
    """A session's document, its policies included."""
    found = merged(engine, session, ["session"])
    return {"id": session} | (found[0] if found else {})


def _judged(engine: Engine, session: str) -> dict[Named, tuple[int, int, Any]]:
    statement = f"SELECT document, {SHIFT} AS shift FROM records WHERE kind = 'judged' AND session = {{session:String}} ORDER BY arrived"
    found: dict[Named, tuple[int, int, Any]] = {}
    for row in engine.rows(statement, {"session": session, **clocks(engine)}):
        for subject, key, moment, time, lookup in json.loads(row["document"])["events"]:
            found.setdefault((subject, key, moment), (time, row["shift"], lookup))
    return found


_FACTS = ("phase", "time", "requested", "answered", "ended")


def _newest(engine: Engine, session: str, kind: str) -> Iterator[dict[str, Any]]:
    """The facts that moments are made of, of the newest versions; `shift`: from their times to the steady ones."""
    facts = ", ".join(f"JSONExtractString(document, '{name}') AS {name}_" for name in _FACTS)
    statement = (
        f"SELECT id, call, {SHIFT} AS shift, {facts} FROM (SELECT * FROM records WHERE session = {{session:String}}"
        " AND kind = {kind:String} ORDER BY id, phase DESC, position DESC LIMIT 1 BY id)"
    )
    for row in engine.rows(statement, {"session": session, "kind": kind, **clocks(engine)}):
        yield {"id": row["id"], "call": row["call"], "shift": row["shift"], **{name: row[f"{name}_"] or None for name in _FACTS}}


def _calls(engine: Engine, session: str) -> Candidates:
    found = {}
    for call in _newest(engine, session, "call"):
        for moment, time in moments_of(call):
            found[str(Subject.CALL), call["id"], int(moment)] = time_ns(time), call["shift"], ""
    return found


def _pieces(engine: Engine, session: str) -> Candidates:
    found = _newest(engine, session, "piece")
    return {(str(Subject.CHANNEL), one["id"], int(Moment.CHANNEL)): (time_ns(one["time"]), one["shift"], one["call"]) for one in found}


def _exchanges(engine: Engine, session: str) -> Candidates:
    found = _newest(engine, session, "exchange")
    return {(str(Subject.EGRESS), one["id"], int(Moment.REQUEST)): (time_ns(one["time"]), one["shift"], "") for one in found}


def _leaks(engine: Engine, session: str) -> Candidates:
    found = _newest(engine, session, "leak")
    return {(str(Subject.SECRET), one["id"], int(Moment.REQUEST)): (time_ns(one["time"]), one["shift"], "") for one in found}
