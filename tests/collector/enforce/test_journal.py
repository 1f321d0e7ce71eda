import asyncio
from collections.abc import Awaitable
from typing import Any

from chaperone.collector.enforce.journal import AlertedJournal


class Alerts:
    """Keeps when the test says so."""

    def __init__(self) -> None:
        self.is_pending, self.may_keep, self.sentence = False, asyncio.Event(), ""

    def refusal(self) -> str:
        return self.sentence

    async def keep(self) -> None:
        await self.may_keep.wait()
        self.is_pending = False


class Store:
    """Notes what is committed in which order."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def refusal(self) -> str:
        return "the store is full"

    async def next_batch(self, agent: str) -> int:
        return 7

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Any = ()) -> Awaitable[str]:
        self.rows += rows
        ticket: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        ticket.set_result("")
        return ticket


def test_rows_wait_for_the_alerts_before_them_and_keep_their_order() -> None:
    async def run() -> None:
        alerts, store = Alerts(), Store()
        journal = AlertedJournal(store, alerts)
        assert await journal.commit(["a"]) == ""
        alerts.is_pending = True
        first, second = journal.commit(["b"]), journal.commit(["c"])
        await asyncio.sleep(0.01)
        assert store.rows == ["a"]
        alerts.may_keep.set()
        assert [await first, await second] == ["", ""]
        assert store.rows == ["a", "b", "c"]
        assert await journal.commit(["d"]) == ""
        assert store.rows[-1] == "d"

    asyncio.run(run())


def test_what_was_not_kept_is_not_stored_when_it_closes() -> None:
    async def run() -> None:
        alerts, store = Alerts(), Store()
        journal = AlertedJournal(store, alerts)
        alerts.is_pending = True
        task = asyncio.ensure_future(journal.commit(["a"]))
        await asyncio.sleep(0.01)
        journal.close()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() and store.rows == []

    asyncio.run(run())


def test_it_refuses_what_either_of_both_refuses() -> None:
    async def run() -> None:
        alerts = Alerts()
        journal = AlertedJournal(Store(), alerts)
        assert (journal.refusal(), await journal.next_batch("a")) == ("the store is full", 7)
        alerts.sentence = "no space for alerts"
        assert journal.refusal() == "no space for alerts"

    asyncio.run(run())
