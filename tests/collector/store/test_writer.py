import json
from pathlib import Path
from typing import Any

import pytest
from support.made_rows import OFFSET, body_row, call_row, session_rows

from chaperone.collector.store.engine import Engine, StoreError
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.turns import Turns
from chaperone.collector.store.writer import Writer
from chaperone.collector.wire.exchange import Phase

KEY = b"k" * 32

LARGE = "x" * 5000


def test_a_row_has_the_columns_that_are_filtered_by(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    writer.append(call_row())
    writer.flush()
    [row] = engine.rows("SELECT *, toUnixTimestamp64Nano(time) AS at FROM records")
    expected = {"kind": "call", "verb": "get", "resource": "pods", "namespace": "default", "name": "web", "code": 200, "user": "agent"}
    assert {key: row[key] for key in expected} == expected
    assert (row["at"], row["complete"], row["bytes_out"], row["bytes_in"]) == (OFFSET, True, 10, 20)
    assert json.loads(row["document"]) == call_row().document


def test_a_repeated_row_lands_on_itself(engine: Engine) -> None:
    for _ in range(3):
        writer = Writer(engine, Marks(engine, KEY))
        writer.append(call_row())
        writer.flush()
    assert engine.rows("SELECT count() AS n FROM calls") == [{"n": 1}]
    engine.run("OPTIMIZE TABLE records FINAL")
    assert engine.rows("SELECT count() AS n FROM records") == [{"n": 1}]


def test_equal_large_bodies_are_stored_once_also_over_flushes_and_restarts(engine: Engine) -> None:
    for position in range(3):
        writer = Writer(engine, Marks(engine, KEY))
        writer.append(body_row(LARGE, position))
        writer.append(body_row(LARGE, position + 10))
        writer.flush()
    assert engine.rows("SELECT data FROM bodies") == [{"data": LARGE}]
    assert engine.rows("SELECT count() AS n, uniqExact(bodies) AS digests FROM calls") == [{"n": 6, "digests": 1}]


def test_of_a_call_only_the_last_version_of_a_flush_is_written(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    writer.append(call_row(phase=Phase.REQUEST, at=1, ended=None))
    for at in range(5):
        writer.append(call_row(phase=Phase.STREAM, at=at, ended=None))
    writer.flush()
    writer.append(call_row(at=9))
    writer.flush()
    assert engine.rows("SELECT phase, position FROM records ORDER BY phase") == [{"phase": 3, "position": 4}, {"phase": 4, "position": 9}]


def test_the_latest_version_is_the_call(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    writer.append(call_row(at=9))
    writer.flush()
    writer.append(call_row(phase=Phase.REQUEST, at=50, code=None, ended=None))
    writer.flush()
    assert engine.rows("SELECT phase, code FROM calls") == [{"phase": 4, "code": 200}]


def test_arrival_goes_on_after_a_restart(engine: Engine) -> None:
    for position in range(3):
        writer = Writer(engine, Marks(engine, KEY))
        writer.append(call_row(position))
        writer.flush()
    arrived = {row["arrived"] for row in engine.rows("SELECT arrived FROM records")}
    assert len(arrived) == 3 if engine.is_shared else arrived == {1, 2, 3}


def test_how_far_an_agent_is_survives_and_never_goes_back(engine: Engine) -> None:
    assert Turns(engine).last("a")[1] == 1
    for number in (5, 3):
        writer = Writer(engine, Marks(engine, KEY))
        writer.advance("a", number)
        writer.flush()
    assert (Turns(engine).last("a")[1], Turns(engine).last("b")[1]) == (5, 1)


def test_a_flush_that_fails_keeps_everything_for_the_next(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, insert = Writer(engine, Marks(engine, KEY)), engine.insert
    for row in [*session_rows(), body_row(LARGE)]:
        writer.append(row)
    writer.advance("a", 2)

    def fails_at_records(table: str, rows: Any) -> None:
        if table == "records":
            raise StoreError("no")
        insert(table, rows)

    monkeypatch.setattr(engine, "insert", fails_at_records)
    with pytest.raises(StoreError):
        writer.flush()
    assert Turns(engine).last("a")[1] == 1
    monkeypatch.undo()
    writer.flush()
    assert engine.rows("SELECT count() AS n FROM records") == [{"n": 3}]
    assert engine.rows("SELECT count() AS n FROM bodies") == [{"n": 1}]
    assert Turns(engine).last("a")[1] == 2


def test_an_answer_code_beyond_its_column_is_left_to_the_document(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    writer.append(call_row(code=99_999))
    writer.flush()
    [row] = engine.rows("SELECT code, document FROM records")
    assert row["code"] is None and json.loads(row["document"])["code"] == 99_999


def test_inserts_are_synced(engine: Engine, tmp_path: Path) -> None:
    """That they reach the disk is tests/collector/test_live_collector.py's; that every table asks for it is this one's."""
    rows = engine.rows(
        "SELECT name, create_table_query AS q FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    assert {"records", "bodies", "agents", "marks", "clocks"} <= {row["name"] for row in rows}
    assert all("fsync_after_insert = 1, fsync_part_directory = 1" in row["q"] for row in rows)
