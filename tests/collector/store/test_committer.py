"""The committer with a writer that only remembers, so that failing and slowness can be had."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.made_rows import call_row, session_rows

from chaperone.collector.store.committer import Committer, Pace, Portion
from chaperone.collector.store.engine import StoreError, StoreFullError
from chaperone.collector.store.rows import Row

SLOW = Pace(delay_s=0.3, rows=10, retry_s=0.05)


class Remembers:
    """A writer: `stored` is what it flushed, in flushes."""

    def __init__(self) -> None:
        self.held: list[Row] = []
        self.agents: dict[str, int] = {}
        self.stored: list[int] = []
        self.trouble: StoreError | None = None

    def append(self, row: Row) -> None:
        self.held.append(row)

    def advance(self, agent: str, next_batch: int, _turn: int) -> None:
        self.agents[agent] = next_batch

    def flush(self) -> None:
        if self.trouble:
            raise self.trouble
        self.stored.append(len(self.held))
        self.held.clear()


async def at_once(work: Callable[[], None]) -> None:
    await asyncio.sleep(0.01)
    work()


def driven(pace: Pace, talk: Callable[[Committer, Remembers], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        writer = Remembers()
        committer = Committer(writer, at_once, pace)  # type: ignore[arg-type]
        serving = asyncio.create_task(committer.serve())
        try:
            return await asyncio.wait_for(talk(committer, writer), 5)
        finally:
            serving.cancel()

    return asyncio.run(run())


def test_portions_that_come_together_are_written_together() -> None:
    async def talk(committer: Committer, writer: Remembers) -> None:
        tickets = [committer.put(Portion([call_row(n)], "a", n + 2)) for n in range(3)]
        assert await asyncio.gather(*tickets) == ["", "", ""]
        assert writer.stored == [3] and writer.agents == {"a": 4}

    driven(SLOW, talk)


@pytest.mark.parametrize("portions", [[Portion(session_rows())], [Portion([call_row(n)]) for n in range(10)]])
def test_the_end_of_a_session_and_a_full_house_do_not_wait(portions: list[Portion]) -> None:
    async def talk(committer: Committer, writer: Remembers) -> float:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*map(committer.put, portions))
        return asyncio.get_running_loop().time() - started

    assert driven(Pace(delay_s=3, rows=10), talk) < 1


def test_a_failed_write_is_said_at_once_and_tried_again_with_nothing_lost() -> None:
    async def talk(committer: Committer, writer: Remembers) -> None:
        writer.trouble = StoreFullError("no space left")
        assert await committer.put(Portion([call_row(1)])) == "no space left"
        assert committer.refusal == "no space left"
        writer.trouble = None
        assert await committer.put(Portion([])) == ""
        assert writer.stored == [1] and committer.refusal == ""

    driven(SLOW, talk)


def test_it_lags_by_the_age_of_the_oldest_row_that_is_not_durable() -> None:
    async def talk(committer: Committer, writer: Remembers) -> None:
        assert committer.lag_s == 0
        writer.trouble = StoreFullError("no space left")
        began = time.monotonic()
        await committer.put(Portion([call_row(1)]))
        after_one = time.monotonic()
        await committer.put(Portion([call_row(2)]))
        assert time.monotonic() - after_one < committer.lag_s <= time.monotonic() - began, "what was refused counts from when it came"
        writer.trouble = None
        await committer.put(Portion([]))
        assert committer.lag_s == 0

    driven(SLOW, talk)


def test_it_recovers_without_being_asked() -> None:
    async def talk(committer: Committer, writer: Remembers) -> None:
        writer.trouble = StoreFullError("no space left")
        await committer.put(Portion([call_row(1)]))
        writer.trouble = None
        while committer.refusal:
            await asyncio.sleep(0.01)
        assert writer.stored == [1]

    driven(SLOW, talk)


def test_an_empty_portion_waits_for_what_is_being_written() -> None:
    async def talk(committer: Committer, writer: Remembers) -> None:
        assert committer.put(Portion([])).done()
        first = committer.put(Portion([call_row(1)]))
        second = committer.put(Portion([]))
        assert not second.done()
        await second
        assert first.done() and writer.stored == [1]

    driven(SLOW, talk)
