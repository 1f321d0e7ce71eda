import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.collector.store import arrivals
from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.schema import migrate, migrate_shared
from chaperone.collector.store.server import Address, Server

_NUMBERS = itertools.count(1)


@pytest.fixture(params=["embedded", "server"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An empty store's database, in this process and on a server. chdb has one directory open per process: one test after another."""
    opened: Engine
    monkeypatch.setattr(arrivals, "SETTLED_NS", 0)  # one writer, who waits for each insert
    if request.param == "embedded":
        opened = Embedded(tmp_path / "clickhouse")
        migrate(opened, tmp_path / "version")
    else:
        opened = request.getfixturevalue("used_server")
        for row in opened.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"):
            if row["name"] not in ("schema_steps", "installation"):
                opened.run(f"TRUNCATE TABLE {row['name']}")
    yield opened
    if not opened.is_shared:
        opened.close()


@pytest.fixture(scope="session")
def used_server(server: Address) -> Iterator[Server]:
    """One database of a server, for tests that empty it."""
    opened = Server(Address(f"{server.url}/chaperone_test_{os.getpid()}", server.login))
    migrate_shared(opened, "test", b"key")
    yield opened
    opened.run(f"DROP DATABASE chaperone_test_{os.getpid()}")
    opened.close()


@pytest.fixture
def address(server: Address) -> Iterator[Address]:
    """A database that nobody has used."""
    made = Address(f"{server.url}/chaperone_test_{os.getpid()}_{next(_NUMBERS)}", server.login)
    yield made
    used = Server(made)
    used.run(f"DROP DATABASE {made.database}")
    used.close()
