import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clickhouse_server import clickhouse, login
from support.shared_database import Shared, shared_database

from chaperone.collector.store.server import Address

_NUMBERS = itertools.count(1)


@pytest.fixture
def shared(server: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A database that nobody has used, for collectors."""
    with shared_database(server, f"chaperone_shared_{os.getpid()}_{next(_NUMBERS)}", tmp_path_factory.mktemp("shared")) as found:
        yield found


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
