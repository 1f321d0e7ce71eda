"""What a store knows of coverage: the containers of which sessions are open, and the programs whose TLS nobody reads."""

import json
from collections.abc import Mapping
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN, OVER
from chaperone.collector.store.questions import number

HOURS = 24
_OPEN = (
    "SELECT JSONExtractString(document, 'lookedUp', 'containerID') AS container FROM records WHERE kind = 'session'"
    " AND phase = {begun:UInt64} AND container != ''"
    " AND session NOT IN (SELECT session FROM records WHERE kind = 'session' AND phase = {over:UInt64})"
    " GROUP BY container ORDER BY container"
)
_UNREAD = (
    "SELECT session, process, JSONExtractString(document, 'unread') AS stack, uniqExact(id) AS connections FROM records"
    " WHERE kind = 'connection' AND stack != '' AND time > now() - toIntervalHour({hours:UInt64})"
    " GROUP BY session, process, stack ORDER BY connections DESC, session, process, stack LIMIT 1000"
)
_LAST = (
    "SELECT document FROM records WHERE kind = {kind:String} AND session = {session:String} AND id = {id:String}"
    " AND phase = {begun:UInt64} ORDER BY position DESC LIMIT 1"
)


def containers_open(engine: Engine, _parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row {container} per container of which a session is open."""
    return engine.rows(_OPEN, {"begun": BEGUN, "over": OVER})


def unread_list(engine: Engine, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`hours` (default 24) → {workload, exe, stack, connections} of each process that spoke TLS which nobody reads, the worst first."""
    hours = number(parameters, "hours", 24 * 366) if "hours" in parameters else HOURS
    return [_named(engine, row) for row in engine.rows(_UNREAD, {"hours": hours})]


def _named(engine: Engine, row: Mapping[str, Any]) -> dict[str, Any]:
    session = _document(engine, "session", row["session"], row["session"])
    process = _document(engine, "process", row["session"], row["process"])
    about = {"session": row["session"], "workload": session.get("workload", ""), "exe": process.get("exe", "")}
    return {**about, "stack": row["stack"], "connections": row["connections"]}


def _document(engine: Engine, kind: str, session: str, id_: str) -> dict[str, Any]:
    found = engine.rows(_LAST, {"kind": kind, "session": session, "id": id_, "begun": BEGUN})
    document: dict[str, Any] = json.loads(found[0]["document"]) if found else {}
    return document
