"""What goes on, and what rules did of late, from a real store."""

import json
import time
from typing import Any

from support import documents as d

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import rfc3339

NOW = time.time_ns()


def put(engine: Engine, kind: Kind, document: dict[str, Any], session: str = d.SESSION, phase: int = 1, age_s: int = 1) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    writer.append(Row(kind, session, document["id"], phase, phase, NOW - age_s * 10**9, document))
    writer.flush()


def session(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "workload": f"run/{id_}", "time": rfc3339(NOW), **more}


def test_sessions_that_go_on_are_named_by_their_pods(engine: Engine) -> None:
    put(engine, Kind.SESSION, session("a"), "a")
    put(engine, Kind.SESSION, session("b", lookedUp={"pod": "ai/coder", "container": "main"}), "b")
    put(engine, Kind.SESSION, session("c"), "c")
    put(engine, Kind.SESSION, {"id": "c", "ended": rfc3339(NOW)}, "c", phase=4)
    put(engine, Kind.SESSION, session("d"), "d", age_s=26 * 3600)
    assert [(one["session"], one["workload"]) for one in ask(engine, "sessions.open", "{}")] == [("a", "run/a"), ("b", "ai/coder/main")]


def test_rules_are_counted_with_what_was_carried_out(engine: Engine) -> None:
    for number, (rule, undone, age_s) in enumerate((("deny", "", 1), ("deny", "nobody", 2), ("alert", "", 3), ("deny", "", 90_000))):
        about = {"rule": rule, "policy": "p", "action": rule, "effective": "enforce", "notCarriedOut": undone}
        put(engine, Kind.VERDICT, {"id": f"v{number}", "time": rfc3339(NOW - age_s * 10**9), **about}, age_s=age_s)
    found = ask(engine, "rules.counts", json.dumps({}))
    assert [(one["rule"], one["matched"], one["carriedOut"]) for one in found] == [("deny", 2, 1), ("alert", 1, 1)]
    assert found[0]["last"] == rfc3339(NOW - 10**9)
