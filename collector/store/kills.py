"""Kills as they are stored, and what a kill may be about: whatever goes on in a session that goes on."""

from collections.abc import Mapping
from typing import Any

from chaperone.collector.parameters import QuestionError
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN
from chaperone.collector.store.questions import identifier
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import time_ns

_KINDS = {Ends.SESSION: ["session"], Ends.PROCESS: ["process"], Ends.CONNECTION: ["connection", "stream"]}
_LIVING = (
    "SELECT id, any(session) AS session FROM records WHERE kind IN {kinds:Array(String)} AND startsWith(id, {prefix:String})"
    " GROUP BY kind, id HAVING max(phase) < 4 AND countIf(ended IS NOT NULL) = 0 ORDER BY id LIMIT 2"
)


def kill_row(document: Mapping[str, Any]) -> Row:
    """One version of a kill's document (enforce/kills.py)."""
    key = Kind.KILL, str(document["session"]), str(document["id"])
    return Row(*key, BEGUN, int(document["version"]), time_ns(document["time"]), dict(document))


def living(engine: Engine, target: Ends, prefix: str) -> tuple[str, str]:
    """The id that begins so, of something that goes on, and its session. QuestionError."""
    wanted = identifier({"id": prefix.lower()}, "id")
    rows = engine.rows(_LIVING, {"kinds": _KINDS[target], "prefix": wanted})
    if len(rows) != 1:
        raise QuestionError(f"{'no' if not rows else 'more than one'} {target} that goes on has an id that begins with {prefix[:40]!r}")
    return str(rows[0]["id"]), str(rows[0]["session"])
