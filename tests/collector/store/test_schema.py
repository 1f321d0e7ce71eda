import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.schema import SchemaError, check_version, migrate, migrate_shared, steps, version_in
from chaperone.collector.store.server import Address, Server


def test_steps_are_numbered_from_one_without_gaps() -> None:
    assert list(steps()) == list(range(1, len(steps()) + 1))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    opened = Embedded(tmp_path / "clickhouse")
    migrate(opened, tmp_path / "version")
    yield opened
    opened.close()


TABLES = {"records", "bodies", "agents", "marks", "clocks", "turns", "calls", "approvals"}


def test_a_new_store_gets_every_step_and_records_the_last(embedded: Embedded, tmp_path: Path) -> None:
    assert version_in(tmp_path / "version") == max(steps())
    assert _tables(embedded) == TABLES


def test_a_step_that_was_cut_off_is_done_again(embedded: Embedded, tmp_path: Path) -> None:
    embedded.insert("agents", [{"agent": "a", "next_batch": 3}])
    (tmp_path / "version").unlink()
    migrate(embedded, tmp_path / "version")
    assert embedded.rows("SELECT next_batch FROM agents") == [{"next_batch": 3}]


def test_of_collectors_that_start_at_once_one_makes_the_tables(address: Address) -> None:
    servers = [Server(address) for _ in range(3)]
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda server: migrate_shared(server, "test", b"key"), servers))
    found = servers[0]
    assert _tables(found) == {*TABLES, "schema_steps", "installation"}
    assert [row["number"] for row in found.rows("SELECT number FROM schema_steps ORDER BY number")] == list(steps())
    found.insert("agents", [{"agent": "a", "next_batch": 3}])
    migrate_shared(servers[1], "test", b"key")
    assert found.rows("SELECT next_batch FROM agents") == [{"next_batch": 3}]
    for server in servers:
        server.close()


def test_a_shared_database_of_a_newer_version_is_refused(address: Address) -> None:
    server = Server(address)
    migrate_shared(server, "test", b"key")
    server.insert("schema_steps", [{"number": 99}])
    with pytest.raises(SchemaError, match="the store test has layout 99"):
        migrate_shared(server, "test", b"key")
    server.close()


def test_collectors_with_another_key_are_kept_out(address: Address) -> None:
    server = Server(address)
    migrate_shared(server, "test", b"key")
    with pytest.raises(SchemaError, match=r"the database test is that of collectors with another key: .* --keys"):
        migrate_shared(server, "test", b"another")
    server.close()


def _tables(engine: Engine) -> set[str]:
    return {row["name"] for row in engine.rows("SHOW TABLES")}


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
