import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clickhouse_server import clickhouse, login

from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.schema import migrate, migrate_shared
from chaperone.collector.store.server import Address, Server

_NUMBERS = itertools.count(1)


@pytest.fixture(params=["embedded", "server"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store's database, in this process and on a server. chdb has one directory open per process: one test after another."""
    opened: Engine
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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """ClickHouse's HTTP interface: CHAPERONE_CLICKHOUSE_URL (with CHAPERONE_CLICKHOUSE_LOGIN), else the embedded engine's behind one."""
    if url := os.environ.get("CHAPERONE_CLICKHOUSE_URL"):
        credentials = os.environ.get("CHAPERONE_CLICKHOUSE_LOGIN")
        yield Address(url.rstrip("/"), Path(credentials) if credentials else None)
        return
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder, clickhouse(Path(folder)) as found:
        yield Address(found, login(tmp_path_factory.mktemp("clickhouse") / "login"))
