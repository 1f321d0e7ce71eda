"""What every reader is: both directions of one stream in, events out. No I/O, no clock, no exception."""

from typing import Any, Protocol

from chaperone.collector.wire.events import Event
from chaperone.proto.records import Direction


class Reader(Protocol):
    """Owns both directions of one stream.

    Events are the same however the bytes were cut. Nothing raises: what cannot be read is an `Unreadable`.
    """

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on. Bytes below the reader's own position are skipped (compared by hash where it
        still has one); a jump is `Lost` first. `time`: boot-time ns of the node."""
        ...

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes that the agent could not give us."""
        ...

    def close(self, time: int) -> list[Event]:
        """The stream is over: what is still open ends here."""
        ...

    def mark(self) -> dict[str, Any] | None:
        """State to go on from elsewhere, of msgpack types only; None inside a frame or where it cannot be saved."""
        ...


class Channels(Reader, Protocol):
    """What is behind an upgrade."""

    @property
    def told(self) -> int:
        """Position up to which all that the client sent is in an event, or says nothing to anybody."""
        ...
