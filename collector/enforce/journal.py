"""An ingest.intake.Journal in front of the store: alerts go into the outbox before the rows of their calls are stored."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol


class Journal(Protocol):
    """The store."""

    def refusal(self) -> str:
        """Why nothing can be stored now; "" when it can."""
        ...

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        ...

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Sequence[Any] = ()) -> Awaitable[str]:
        """Until rows and marks are durable."""
        ...


class Keeps(Protocol):
    """The alerter."""

    @property
    def is_pending(self) -> bool:
        """Are there alerts that are not in the outbox yet?"""
        ...

    def refusal(self) -> str:
        """Why alerts can't be kept now; "" when they can."""
        ...

    async def keep(self) -> None:
        """Until they are in the outbox."""
        ...


class AlertedJournal:
    """Commits in the order of the calls, also when some wait for the outbox and others need not."""

    def __init__(self, journal: Journal, alerts: Keeps) -> None:
        self._journal, self._alerts, self._turn = journal, alerts, asyncio.Lock()
        self._waiting: set[asyncio.Task[str]] = set()

    def refusal(self) -> str:
        """Why nothing can be stored now."""
        return self._alerts.refusal() or self._journal.refusal()

    async def next_batch(self, agent: str) -> int:
        """The lowest batch number of an agent that is not durable."""
        return await self._journal.next_batch(agent)

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Sequence[Any] = ()) -> Awaitable[str]:
        """Alerts first, then as the store does."""
        if not (self._waiting or self._alerts.is_pending):
            return self._journal.commit(rows, agent, next_batch, marks)
        task = asyncio.create_task(self._commit(rows, agent, next_batch, marks))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return task

    async def _commit(self, rows: list[Any], agent: str, next_batch: int, marks: Sequence[Any]) -> str:
        async with self._turn:
            await self._alerts.keep()
            ticket = self._journal.commit(rows, agent, next_batch, marks)
        return await ticket

    def close(self) -> None:
        """Nobody waits any more for what is not in the outbox: it is not acked either, and comes again."""
        for task in self._waiting:
            task.cancel()
