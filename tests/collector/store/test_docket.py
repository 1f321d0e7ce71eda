"""What judging goes on from, asked of a real store that has more than a judge keeps."""

from typing import Any

import pytest
from support import documents as d

from chaperone.collector.rules.memory import ENTRIES
from chaperone.collector.store import docket as limits
from chaperone.collector.store.docket import Docket, Remembered, docket
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.verdicts import Sitting, sitting_row
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import SECOND

START = d.START * SECOND
ROWS = 200_000
MANY = f"""
INSERT INTO records (kind, session, id, phase, position, arrived, time, document)
SELECT 'judged', concat('s', toString(number % 10)), toString(number), 1, 0, number + 1,
    toDateTime64('2026-01-02 03:04:05', 9, 'UTC') + number / 100,
    concat('{{"session":"","scope":"w', toString(number % 10), '","rules":"r","events":[["call","', toString(number),
        '",1,1,{{"target":{{"labels":"', repeat('x', 300), '"}}}}]],"memory":[["p","often","print","all","count",', toString(number),
        ',1,""],["p","wait","print","all","arm",', toString(number), ']]}}')
FROM numbers({ROWS})
"""


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def sitting(number: int, scope: str = "w", changes: int = 1) -> Row:
    memory = tuple(["p", "r", "print", str(number), "count", number, at, ""] for at in range(changes))
    return sitting_row(Sitting(d.SESSION, scope, "abc", (("call", str(number), 1, START + number * SECOND, {"target": {}}),), memory))


def session() -> Row:
    document = {name: value for name, value in d.session().items() if name not in ("ended", "status")}
    return Row(Kind.SESSION, d.SESSION, d.SESSION, 1, 0, START, document)


def call(id_: str, phase: int = 2) -> Row:
    document = d.call(id=id_, phase="response", ended=None, requestBody=d.body("x" * 5000))
    return Row(Kind.CALL, d.SESSION, id_, phase, 0, START, document)


def names(found: Docket) -> list[str]:
    return [key for _, _, key, _ in found.done]


def counts(found: Docket) -> list[tuple[str, int, int]]:
    return [(one.scope, change[5], change[6]) for one in found.remembered for change in one.changes]


def test_what_was_judged_of_late_and_open_calls_are_found(engine: Engine) -> None:
    written(engine, session(), sitting(1), sitting(2, changes=0), call(d.CALL), call(d.EXEC, 4))
    found = docket(engine, 0)
    assert found.done == [(d.SESSION, "call", "1", 1), (d.SESSION, "call", "2", 1)]
    assert found.remembered == [Remembered(d.SESSION, "w", [["p", "r", "print", "1", "count", 1, 0, ""]])]
    assert [(call["id"], len(call["requestBody"]["data"])) for call in found.calls] == [(d.CALL, 5000)]
    assert found.of({d.SESSION}) == found and found.of({d.OTHER}) == Docket()


def test_what_was_written_twice_counts_once_and_beyond_the_horizon_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "lately", lambda _: 0)
    written(engine, sitting(1), sitting(8), sitting(9))
    written(engine, sitting(9))
    assert counts(docket(engine, 1 * SECOND)) == [("w", 8, 0), ("w", 9, 0)]


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        ({"EVENTS": 2}, (["3", "4"], [("w", 1, 0), ("w", 1, 1), ("v", 2, 0), ("w", 3, 0), ("w", 3, 1), ("w", 4, 0)], ["c1", "c2"])),
        ({"SITTINGS": 1}, (["1", "2", "3", "4"], [("w", 4, 0)], ["c1", "c2"])),
        ({"OF_ONE": 2}, (["1", "2", "3", "4"], [("v", 2, 0), ("w", 3, 1), ("w", 4, 0)], ["c1", "c2"])),
        ({"CHANGES": 3}, (["1", "2", "3", "4"], [("w", 3, 0), ("w", 3, 1), ("w", 4, 0)], ["c1", "c2"])),
        ({"CALLS": 1}, (["1", "2", "3", "4"], [("w", 1, 0), ("w", 1, 1), ("v", 2, 0), ("w", 3, 0), ("w", 3, 1), ("w", 4, 0)], ["c2"])),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_over_a_limit_the_newest_are_found(engine: Engine, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int], found: Any) -> None:
    written(engine, session(), sitting(1, changes=2), sitting(2, "v"), sitting(3, changes=2), sitting(4), call("c1"), call("c2"))
    for name, value in limit.items():
        monkeypatch.setattr(limits, name, value)
    told = docket(engine, 9 * SECOND)
    assert (names(told), counts(told), sorted(call["id"] for call in told.calls)) == found


def test_of_many_rows_no_more_than_a_judge_keeps_leaves_the_engine(engine: Engine) -> None:
    engine.run(MANY)
    found = docket(engine, 86_400 * SECOND)
    assert names(found) == [str(number) for number in range(ROWS - limits.EVENTS, ROWS)]
    told = [(one.scope, change) for one in found.remembered for change in one.changes]
    assert [change[5] for _, change in told if change[4] == "count"] == [*range(ROWS - 10 * ENTRIES, ROWS)], "each its newest"
    assert [(scope, change[5]) for scope, change in told if change[4] == "arm"] == [(f"w{n}", ROWS - 10 + n) for n in range(10)]
