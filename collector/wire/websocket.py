"""WebSocket frames of both directions (RFC 6455) to messages."""

from typing import Any

from chaperone.collector.wire.events import Event
from chaperone.proto.records import Direction


class WebSocketReader:
    """WebSocket frames of both directions (RFC 6455) to messages."""

    def __init__(self, exchange: int, positions: tuple[int, int]) -> None:
        self.exchange = exchange
        self.positions = positions

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        return []

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes are missing."""
        return []

    def close(self, time: int) -> list[Event]:
        """The stream is over."""
        return []

    def mark(self) -> dict[str, Any] | None:
        """State to go on from."""
        return None
