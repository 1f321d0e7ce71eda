import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.made_rows import call_row, session_rows

from chaperone.collector.parameters import QuestionError
from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import hold
from chaperone.collector.store.opened import Store, opened


def used(path: Path, talk: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        with hold(path) as directory:
            async with opened(directory, Pace()) as store:
                return await talk(store)

    return asyncio.run(run())


def test_what_is_committed_can_be_asked_for_now_and_later(tmp_path: Path) -> None:
    async def write(store: Store) -> Any:
        assert await store.commit([*session_rows(), call_row()], "a", 2) == ""
        assert store.refusal() == ""
        return await store.ask("calls.list", "{}")

    async def read(store: Store) -> Any:
        assert await store.next_batch("a") == 2
        return await store.ask("calls.list", "{}")

    assert used(tmp_path, write) == used(tmp_path, read) != []


def test_what_still_waits_at_the_end_is_written(tmp_path: Path) -> None:
    async def leave(store: Store) -> None:
        store.commit([call_row()])

    async def count(store: Store) -> Any:
        return (await store.ask("status", ""))[0]["counts"]

    used(tmp_path, leave)
    assert used(tmp_path, count) == {"call": 1}


def test_sessions_that_go_on_are_recalled(tmp_path: Path) -> None:
    async def begin(store: Store) -> Any:
        await store.commit(session_rows(ended=False))
        return (await store.past()).sessions

    assert len(used(tmp_path, begin)) == 1


def test_a_bad_question_does_no_harm(tmp_path: Path) -> None:
    async def talk(store: Store) -> Any:
        with pytest.raises(QuestionError):
            await store.ask("nonsense", "{}")
        return await store.ask("status", "{}")

    [status] = used(tmp_path, talk)
    assert status["counts"] == {} and status["pid"] == os.getpid() and status["refusal"] == ""
    assert status["version"] and status["uptime_s"] >= 0


def test_a_writer_that_crashes_takes_the_collector_down(tmp_path: Path) -> None:
    async def poison(store: Store) -> None:
        store.commit([call_row(), "no row"])  # type: ignore[list-item]
        await asyncio.sleep(5)

    with pytest.raises(ExceptionGroup) as caught:
        used(tmp_path, poison)
    assert caught.group_contains(AttributeError)
