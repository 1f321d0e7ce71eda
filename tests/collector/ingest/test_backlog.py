import asyncio

import pytest

from chaperone.collector.ingest.backlog import Backlog


def test_who_has_more_than_there_is_room_for_waits() -> None:
    async def work() -> None:
        backlog: Backlog[str] = Backlog(3, 100)
        await backlog.put("a", 60)
        await backlog.put("b", 40)
        third = asyncio.ensure_future(backlog.put("c", 1))
        await asyncio.sleep(0)
        assert not third.done()
        assert await backlog.first() == "a"
        await asyncio.sleep(0)
        assert not third.done(), "what was taken is not done yet"
        await backlog.done()
        await asyncio.wait_for(third, 5)
        fourth = asyncio.ensure_future(backlog.put("d"))
        await asyncio.wait_for(fourth, 5)
        fifth = asyncio.ensure_future(backlog.put("e"))
        await asyncio.sleep(0.01)
        assert not fifth.done(), "at most three"
        fifth.cancel()

    asyncio.run(work())


def test_one_that_is_larger_than_the_limit_goes_alone() -> None:
    async def work() -> None:
        backlog: Backlog[str] = Backlog(3, 100)
        await asyncio.wait_for(backlog.put("a", 1000), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(backlog.put("b", 1), 0.05)
        await backlog.done()
        await asyncio.wait_for(backlog.put("b", 1), 5)
        assert await backlog.first() == "b"

    asyncio.run(work())


def test_the_oldest_is_waited_for() -> None:
    async def work() -> None:
        backlog: Backlog[str] = Backlog(3, 100)
        first = asyncio.ensure_future(backlog.first())
        await asyncio.sleep(0)
        assert not first.done()
        await backlog.put("a")
        assert await asyncio.wait_for(first, 5) == "a"

    asyncio.run(work())
