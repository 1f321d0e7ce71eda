"""Which reader a stream needs: by its first bytes, and again at an upgrade."""

from typing import Any, Self

from chaperone.collector.wire.events import Event
from chaperone.proto.records import Direction


class StreamReader:
    """A `Reader` for a whole stream, whatever it speaks."""

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        return []

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes that the agent could not give us."""
        return []

    def close(self, time: int) -> list[Event]:
        """The stream is over."""
        return []

    def mark(self) -> dict[str, Any] | None:
        """State to go on from, of msgpack types only."""
        return None

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """A reader that goes on from `mark`."""
        return cls()
