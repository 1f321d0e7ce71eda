from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.schema import migrate


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty store's database. chdb has one directory open per process, so tests have one after another."""
    opened = Engine(tmp_path / "clickhouse")
    migrate(opened, tmp_path / "version")
    yield opened
    opened.close()
