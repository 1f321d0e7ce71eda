"""What agents are told: orders, from where to hold, settings, acks.

Somebody waits for an order: it goes out before all else, and never behind the hundreds of acks that one write of the store may bring.
An agent that has no call open is told nothing: it decides by its own terms what it holds.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaperone.proto import capture_pb2 as pb


class Line:
    """What is said on one call. For the event loop."""

    def __init__(self) -> None:
        self._told = deque[pb.Downward]()
        self._rest = deque[Any]()  # in order; an ack by whose it is
        self._acks: dict[str, pb.Downward] = {}
        self._changed = asyncio.Event()

    def tell(self, message: pb.Downward) -> None:
        """Said before all that is put."""
        self._told.append(message)
        self._changed.set()

    def put(self, item: Any) -> None:
        """Said in order; but an ack that still waits is replaced by one that says more."""
        if isinstance(item, pb.Downward) and item.WhichOneof("message") == "ack":
            owner = item.ack.agent
            if owner not in self._acks:
                self._rest.append(owner)
            self._acks[owner] = max(self._acks.get(owner, item), item, key=lambda each: each.ack.batch)
        else:
            self._rest.append(item)
        self._changed.set()

    async def get(self) -> Any:
        """What is to be said next."""
        while not (self._told or self._rest):
            self._changed.clear()
            await self._changed.wait()
        if self._told:
            return self._told.popleft()
        item = self._rest.popleft()
        return self._acks.pop(item) if isinstance(item, str) else item


class Outgoing:
    """The calls of all agents. For the event loop."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}

    @contextmanager
    def line(self, agent: str) -> Iterator[Line]:
        """An agent's call: what it is told comes here. A later call of the same agent takes its place."""
        line = self._lines[agent] = Line()
        try:
            yield line
        finally:
            if self._lines.get(agent) is line:
                del self._lines[agent]

    def agents(self) -> tuple[str, ...]:
        """Those that hear."""
        return tuple(self._lines)

    def tell(self, agent: str, message: pb.Downward) -> None:
        """Say it, if the agent hears."""
        if agent in self._lines:
            self._lines[agent].tell(message)

    def tell_all(self, message: pb.Downward) -> int:
        """Say it to every agent that hears; how many there are."""
        for line in self._lines.values():
            line.tell(message)
        return len(self._lines)

    def hears(self, agent: str) -> bool:
        """Whether it has a call open."""
        return agent in self._lines
