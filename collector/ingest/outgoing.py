"""What agents are told besides acks: orders, and from where to hold. It goes out at once, before acks that wait for the disk.

An agent that has no call open is told nothing: it decides by its own terms what it holds.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaperone.proto import capture_pb2 as pb

Line = asyncio.Queue[Any]  # of a call: what is said on it


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
            self._lines[agent].put_nowait(message)

    def tell_all(self, message: pb.Downward) -> int:
        """Say it to every agent that hears; how many there are."""
        for line in self._lines.values():
            line.put_nowait(message)
        return len(self._lines)

    def hears(self, agent: str) -> bool:
        """Whether it has a call open."""
        return agent in self._lines
