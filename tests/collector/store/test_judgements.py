"""Verdicts and the order of judging, asked of a real store."""

import json
from typing import Any

from support import documents as d
from support.judged_events import call as called
from support.policies import rules

from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.memory import Memory
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.summary import summary
from chaperone.collector.store.verdicts import Sitting, sitting_row, verdict_row
from chaperone.collector.store.writer import Writer

START = d.START * 10**9
TOOK = "2026-01-02T03:04:05."


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def asked(engine: Engine, question: str, **parameters: Any) -> list[dict[str, Any]]:
    return ask(engine, question, json.dumps(parameters))


def row(kind: Kind, document: dict[str, Any], id_: str = "", phase: int = 4, **more: Any) -> Row:
    return Row(kind, d.SESSION, id_ or document["id"], phase, 0, START, document, **more)


def sitting(*events: tuple[str, str, int, int, dict[str, Any]]) -> Row:
    return sitting_row(Sitting(d.SESSION, "w", "abc", events, (["p", "r", "print", "w", "clear"],)))


def verdict(name: str, action: str, second: int) -> Row:
    event = called(session=d.SESSION)
    (found,), _ = evaluate(rules(f"- {{name: {name}, when: 'true', do: {action}, enforce: enforce}}"), Memory(), event)
    return verdict_row(found, event, START + second * 10**9, "abc", "" if action == "alert" else "nobody did")


def order(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["key"][:4], row["moment"]) for row in rows[1:]]


def test_events_come_in_the_order_of_their_judging_and_the_rest_by_time(engine: Engine) -> None:
    piece = f"{d.EXEC}/in/10/0"
    judged = sitting(("call", d.EXEC, 1, START + 900_000_000, {"target": {}}), ("call", d.CALL, 1, START + 100_000_000, {}))
    written(
        engine,
        row(Kind.SESSION, d.session()),
        row(Kind.CALL, d.call()),
        row(Kind.CALL, d.exec_call()),
        row(Kind.PIECE, d.piece("stdout", "x", 950), piece, 3, call=d.EXEC),
        judged,
        judged,
    )
    head, *rows = asked(engine, "events.list", session=d.SESSION)
    assert head["session"]["workload"] == "run"
    assert [(one["key"], one["moment"], one["time"] - START) for one in rows] == [
        (d.CALL, 2, 103_000_000),
        (d.CALL, 4, 103_500_000),
        (d.EXEC, 2, 210_000_000),
        (d.EXEC, 4, 450_000_000),
        (d.EXEC, 1, 900_000_000),
        (d.CALL, 1, 100_000_000),
        (piece, 3, 950_000_000),
    ]
    assert (rows[4]["lookup"], rows[6]["call"]) == ({"target": {}}, d.EXEC)


def test_documents_come_whole_with_large_bodies(engine: Engine) -> None:
    big = d.call(responseBody=d.body({"kind": "Secret", "filler": "x" * 5000}))
    written(engine, row(Kind.SESSION, d.session()), row(Kind.CALL, big), row(Kind.EXCHANGE, d.exchange()))
    found = asked(engine, "events.documents", session=d.SESSION, things=[d.CALL, d.OTHER, "0" * 32])
    assert {one["key"]: one["document"].get("responseBody", {}).get("data") for one in found} == {
        d.CALL: big["responseBody"]["data"],
        d.OTHER: None,
    }


def test_verdicts_are_filtered_listed_once_and_counted(engine: Engine) -> None:
    alert, deny = verdict("a", "alert", 1), verdict("b", "deny", 2)
    written(engine, row(Kind.SESSION, d.session()), deny)
    written(engine, alert, deny)
    assert [one["rule"] for one in asked(engine, "verdicts.list")] == ["a", "b"]
    for given, expected in [
        ({"action": "deny"}, ["b"]),
        ({"rule": "a"}, ["a"]),
        ({"severity": "high"}, []),
        ({"since": "2026-01-02T03:04:07Z"}, ["b"]),
        ({"session": d.SESSION[:6], "limit": 1}, ["b"]),
        ({"call": "cc"}, ["a", "b"]),
        ({"after": asked(engine, "verdicts.list", rule="b")[0]["cursor"]}, ["a"]),
    ]:
        assert [one["rule"] for one in asked(engine, "verdicts.list", **given)] == expected, given
    found = summary(engine, d.SESSION)
    assert (found["verdicts"], found["notCarriedOut"]) == ({"alert": 1, "deny": 1}, 1)
