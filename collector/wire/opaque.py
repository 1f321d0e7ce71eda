"""What follows an upgrade to a protocol that is not known: bytes, kept as they are."""

from typing import Any, Self

from chaperone.collector.wire.events import Data, End, Event, Lost
from chaperone.proto.records import Cause, Direction


class OpaqueReader:
    """Both directions of an upgraded exchange as `Data`."""

    def __init__(self, exchange: int, positions: tuple[int, int]) -> None:
        """`positions`: of the first byte behind the heads, out and in."""
        self._exchange = exchange
        self._positions = list(positions)

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        here = self._positions[direction]
        lost = self.lose(direction, position - here, time, Cause.UNKNOWN) if position > here else []
        new = memoryview(data)[max(0, here - position) :]
        if not new:
            return lost
        at = self._positions[direction]
        self._positions[direction] += len(new)
        return [*lost, Data(self._exchange, direction, at, time, new, len(new))]

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes that the agent could not give us."""
        position = self._positions[direction]
        self._positions[direction] += size
        return [Lost(self._exchange, direction, position, size, time, cause)]

    def close(self, time: int) -> list[Event]:
        """The stream is over, and with it both directions: nothing else would end them."""
        return [End(self._exchange, direction, self._positions[direction], time) for direction in Direction]

    @property
    def told(self) -> int:
        """Position up to which all that the client sent is in an event: there are no frames."""
        return self._positions[Direction.OUT]

    def mark(self) -> dict[str, Any] | None:
        """State to go on from."""
        return {"exchange": self._exchange, "positions": list(self._positions)}

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """A reader that goes on from `mark`."""
        return cls(mark["exchange"], (mark["positions"][0], mark["positions"][1]))
