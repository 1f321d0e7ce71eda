"""The records of one stream that its reader has had and not settled: begun frames, a direction that waits for the other.

They go into the stream's Mark, so that a reader restored from it needs nothing again that came before the Mark. Held are
references to what the reader holds as well, at most LIMIT bytes; past that the oldest are let go of, and there is no Mark
until the reader has settled what came before the rest.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from chaperone.proto.records import Direction

LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Fed:
    """What a reader was given: bytes, or (`data` is None) the loss of `size` bytes."""

    direction: Direction
    position: int
    size: int
    time: int
    data: bytes | None = None
    cause: str = ""

    @property
    def end(self) -> int:
        """The position behind it."""
        return self.position + self.size

    def after(self, position: int) -> "Fed":
        """What of it lies at or behind `position`."""
        gone = max(0, position - self.position)
        data = None if self.data is None else bytes(memoryview(self.data)[gone:])
        return replace(self, position=self.position + gone, size=self.size - gone, data=data)


class Behind:
    """Of one stream, in the order of arrival."""

    def __init__(self) -> None:
        self._fed: deque[Fed] = deque()
        self._size = 0
        self._floor = [0, 0]  # what came before was let go of

    def add(self, fed: Fed) -> None:
        """The reader has had it."""
        self._fed.append(fed)
        self._size += len(fed.data or b"")
        while self._size > LIMIT:
            oldest = self._fed.popleft()
            self._size -= len(oldest.data or b"")
            self._floor[oldest.direction] = max(self._floor[oldest.direction], oldest.end)

    def settle(self, positions: Sequence[int]) -> bool:
        """All before these positions is settled; whether what is behind them is here."""
        self._fed = deque(fed for fed in self._fed if fed.end > positions[fed.direction])
        self._size = sum(len(fed.data or b"") for fed in self._fed)
        return all(floor <= position for floor, position in zip(self._floor, positions, strict=True))

    def saved(self, positions: Sequence[int]) -> list[list[Any]]:
        """What lies behind these positions, of msgpack types."""
        return [[*astuple(fed.after(positions[fed.direction]))] for fed in self._fed]


def restored(saved: list[list[Any]]) -> list[Fed]:
    """What was saved."""
    return [Fed(Direction(direction), *rest) for direction, *rest in saved]
