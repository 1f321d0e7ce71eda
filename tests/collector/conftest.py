import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clickhouse_server import clickhouse, login

from chaperone.collector.store.server import Address


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
