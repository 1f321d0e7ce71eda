"""The wall clock is set back and forward while it is recorded: lists, filters and replay keep the order of what happened."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from support.made_rows import NO_COMMAND, PROCESS, SESSION, STREAM, call_row, made_call, masked

from chaperone.collector.store import facts
from chaperone.collector.store.clock import WORTH_NS, Offsets, offsets
from chaperone.collector.store.document import Place, call_document
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.rows import Clock, Kind, Row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import SECOND, rfc3339
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import SessionId, call_id
from chaperone.proto.records import SessionEnded, SessionStarted

BEFORE = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND
BOOT = "b0" * 16


def written(engine: Engine, rows: Sequence[Row]) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def asked(engine: Engine, question: str, /, **parameters: Any) -> list[dict[str, Any]]:
    return ask(engine, question, json.dumps(parameters))


def at_clock(row: Row, offset: int, at: int) -> Row:
    """A row as an intake stamps it."""
    return replace(row, clock=Clock(BOOT, offset, at))


def call(second: int, offset: int, **changes: Any) -> Row:
    """A call that began at that second of the boot clock."""
    made = masked(made_call(second, name=f"at-{second}", **changes))
    document = call_document(made, call_id(STREAM, second), Place(SESSION, STREAM, PROCESS, offset))
    row = Row(Kind.CALL, SESSION, document["id"], made.phase, made.at, made.started + offset, document, STREAM, PROCESS["id"])
    return at_clock(row, offset, made.ended or made.started)


def session(second: int, offset: int, id_: str = SESSION) -> Row:
    return at_clock(facts.session_begun(SessionStarted(SessionId(id_), "w", second * SECOND), NO_COMMAND, offset), offset, second * SECOND)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


STEPS = (-HOUR, HOUR, -2 * SECOND)


def test_calls_stay_in_order_over_a_step(engine: Engine) -> None:
    for step in STEPS:
        calls = [call(second, BEFORE if second < 5 else BEFORE + step) for second in range(10)]
        written(engine, [session(0, BEFORE), *calls])
        assert names(asked(engine, "calls.list")) == [f"at-{second}" for second in range(10)], step
        assert names(asked(engine, "calls.list", limit=3)) == ["at-7", "at-8", "at-9"], step
        engine.run("TRUNCATE TABLE records")
        engine.run("TRUNCATE TABLE clocks")


def test_since_counts_back_from_the_clock_as_it_is_now(engine: Engine) -> None:
    for step in STEPS:
        written(engine, [call(second, BEFORE if second < 5 else BEFORE + step) for second in range(10)])
        now = 10 * SECOND + BEFORE + step
        for ago in (3, 7):
            since = rfc3339(now - ago * SECOND)
            assert names(asked(engine, "calls.list", since=since)) == [f"at-{second}" for second in range(10 - ago, 10)], (step, ago)
            assert names(asked(engine, "calls.list", until=since)) == [f"at-{second}" for second in range(10 - ago)], (step, ago)
            [found] = asked(engine, "sessions.activity", since=since)
            assert found["calls"] == ago
        engine.run("TRUNCATE TABLE records")
        engine.run("TRUNCATE TABLE clocks")


def test_a_call_that_goes_on_over_a_step_has_one_place_and_its_own_times(engine: Engine) -> None:
    written(engine, [session(0, BEFORE), call(4, BEFORE, phase=Phase.REQUEST, at=1, code=None, answered=None, ended=None)])
    written(engine, [call(5, BEFORE), call(4, BEFORE - HOUR, answered=6 * SECOND, ended=7 * SECOND)])
    rows = asked(engine, "calls.list")
    assert names(rows) == ["at-4", "at-5"]
    assert rows[0]["at"] == rfc3339(4 * SECOND + BEFORE - HOUR) and rows[1]["at"] == rfc3339(5 * SECOND + BEFORE - HOUR)
    assert rows[1]["time"] == rfc3339(5 * SECOND + BEFORE), "documents stay as they were recorded"
    moments = asked(engine, "replay", session=SESSION)
    shown = [(moment["kind"], moment["at"]) for moment in moments if moment["document"].get("name") == "at-4"]
    assert shown == [("call", rfc3339(4 * SECOND + BEFORE - HOUR)), ("answer", rfc3339(6 * SECOND + BEFORE - HOUR))]


def test_sessions_are_listed_and_the_latest_found_over_a_step(engine: Engine) -> None:
    ids = [f"{number:02x}" * 16 for number in range(4)]
    written(engine, [session(second, BEFORE if second < 2 else BEFORE - HOUR, id_) for second, id_ in enumerate(ids)])
    found = asked(engine, "sessions.list")
    assert [row["id"] for row in found] == ids
    assert [row["at"] for row in found] == [rfc3339(second * SECOND + BEFORE - HOUR) for second in range(4)]
    assert asked(engine, "session.summary", session="latest")[0]["id"] == ids[3]
    assert [row["id"] for row in asked(engine, "sessions.list", since=rfc3339(SECOND + BEFORE - HOUR))] == ids[1:]


def test_a_replay_is_in_order_although_an_end_was_told_by_another_clock(engine: Engine) -> None:
    over = at_clock(facts.session_over(SessionEnded(SessionId(SESSION), 9 * SECOND), BEFORE - HOUR), BEFORE - HOUR, 9 * SECOND)
    written(engine, [session(0, BEFORE), call(1, BEFORE), call(8, BEFORE - HOUR), over])
    moments = asked(engine, "replay", session=SESSION)
    assert [moment["kind"] for moment in moments] == ["session", "call", "answer", "call", "answer", "end"]
    assert [moment["at"] for moment in moments] == sorted(moment["at"] for moment in moments)
    assert moments[-1]["at"] == rfc3339(9 * SECOND + BEFORE - HOUR)


def test_rules_are_asked_in_order_about_what_was_not_judged(engine: Engine) -> None:
    written(engine, [session(0, BEFORE), *(call(second, BEFORE if second < 3 else BEFORE - HOUR) for second in range(1, 6))])
    events = [row for row in asked(engine, "events.list", session=SESSION) if row.get("moment") == 1]
    assert [row["key"] for row in events] == [call_id(STREAM, second) for second in range(1, 6)]


def test_nodes_and_boots_are_compared_by_their_newest_offsets(engine: Engine) -> None:
    early = replace(call(100, BEFORE), clock=Clock("one", BEFORE, 1))
    late = replace(call(1, BEFORE + 200 * SECOND), clock=Clock("two", BEFORE + 200 * SECOND, 1))
    old = call_row(50)  # of a store that knew no boots: by the wall clock
    written(engine, [late, early, old])
    assert [row["position"] for row in asked(engine, "calls.list")] == [50, 100, 1]


def test_an_offset_is_written_when_it_is_news_and_never_goes_back(engine: Engine) -> None:
    def told(second: int, offset: int) -> None:
        Offsets(engine).write([session(second, offset)])

    told(5, BEFORE)
    told(6, BEFORE + WORTH_NS - 1)
    assert offsets(engine) == {"": 0, BOOT: BEFORE}
    told(4, BEFORE + HOUR)  # what a dead agent left is older
    assert offsets(engine)[BOOT] == BEFORE
    told(7, BEFORE - HOUR)
    assert offsets(engine)[BOOT] == BEFORE - HOUR
    assert engine.rows("SELECT count() AS n FROM clocks") == [{"n": 2}]
    Offsets(engine).write([call_row()])
    assert len(offsets(engine)) == 2
