"""What was taken and is not durable yet: so much of it and no more, by count and by bytes. Who has more waits."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """In order of arrival. One that is larger than the limit has room when it is alone."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._limit = count, size
        self._items: deque[tuple[T, int]] = deque()
        self._size = 0
        self._changed = asyncio.Condition()

    async def put(self, item: T, size: int = 0) -> None:
        """Once there is room."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(size))
            self._items.append((item, size))
            self._size += size
            self._changed.notify_all()

    async def first(self) -> T:
        """The oldest, which stays until `done`."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._items))
            return self._items[0][0]

    async def done(self) -> None:
        """The oldest is durable."""
        async with self._changed:
            self._size -= self._items.popleft()[1]
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._items or (len(self._items) < self._count and self._size + size <= self._limit)
