import asyncio
import threading
from pathlib import Path

import pytest
from support.made_alerts import NOW, alert, gathered

from chaperone.collector.enforce.alerting import NOBODY
from chaperone.collector.enforce.desk import BROKEN, open_desk
from chaperone.collector.enforce.outbox import FILE, OutboxError


def test_functions_run_in_one_thread_of_their_own(tmp_path: Path) -> None:
    async def run() -> set[str]:
        desk = await open_desk(tmp_path / FILE)
        names = {await desk.run(lambda outbox: threading.current_thread().name) for _ in range(5)}
        await desk.close()
        return names

    assert asyncio.run(run()) == {"outbox_0"}


def test_a_file_that_is_no_database_any_more_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"garbage " * 1000)

    async def run() -> int:
        desk = await open_desk(tmp_path / FILE)
        await desk.run(lambda outbox: outbox.add(gathered(alert()), NOBODY, NOW))
        count = await desk.run(lambda outbox: len(outbox.rows("SELECT n FROM alerts")))
        await desk.close()
        return count

    assert asyncio.run(run()) == 1
    assert (tmp_path / (FILE + BROKEN)).read_bytes().startswith(b"garbage")


def test_a_place_where_none_can_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="can't be opened"):
        asyncio.run(open_desk(tmp_path / "none" / FILE))
