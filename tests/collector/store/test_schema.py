import re
from pathlib import Path

import pytest

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.schema import SchemaError, check_version, migrate, steps, version_in


def test_steps_are_numbered_from_one_without_gaps() -> None:
    assert list(steps()) == list(range(1, len(steps()) + 1))


def test_a_new_store_gets_every_step_and_records_the_last(engine: Engine, tmp_path: Path) -> None:
    assert version_in(tmp_path / "version") == max(steps())
    tables = {row["name"] for row in engine.rows("SHOW TABLES")}
    assert tables == {"records", "bodies", "agents", "marks", "clocks", "calls", "approvals"}


def test_a_step_that_was_cut_off_is_done_again(engine: Engine, tmp_path: Path) -> None:
    engine.insert("agents", [{"agent": "a", "next_batch": 3}])
    (tmp_path / "version").unlink()
    migrate(engine, tmp_path / "version")
    assert engine.rows("SELECT next_batch FROM agents") == [{"next_batch": 3}]


def test_a_newer_store_is_refused_with_both_versions_and_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"has layout 9, .* up to 1: upgrade Chaperone"):
        check_version(9, 1, tmp_path)


def test_a_version_file_without_a_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("PG_VERSION 15")
    with pytest.raises(SchemaError, match="not a Chaperone store"):
        version_in(tmp_path / "version")


def test_every_column_says_what_it_is() -> None:
    columns = [line for line in steps()[1].splitlines() if re.match(r"    [a-z_]+ [A-Z]\w+\b", line)]
    assert len(columns) > 30
    assert [line for line in columns if " -- " not in line] == []
