"""What an HTTP/2 reader remembers: of each open h2 stream, and of the frame whose payload is passing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.wire.events import Event, Reset
from chaperone.proto.records import Direction

EARLY = -1  # the exchange of an h2 stream whose request is not here yet


@dataclass(slots=True)
class Stream:
    """An h2 stream. `early`: events that wait for its request."""

    number: int
    exchange: int
    open: list[bool]  # by direction: no END_STREAM and no RST_STREAM yet
    answered: bool = False  # the final response head is here: further fields are trailers
    length: list[int | None] = field(default_factory=lambda: [None, None])  # declared, by direction
    passed: list[int] = field(default_factory=lambda: [0, 0])  # body bytes, by direction
    reset: Reset | None = None  # waits for what the other direction sent before it
    early: list[Event] = field(default_factory=list)

    def mark(self) -> list[Any]:
        """Of msgpack types only."""
        reset = self.reset
        kept = [reset.direction, reset.position, reset.time, reset.code, reset.size] if reset else None
        return [self.number, self.exchange, self.open, self.answered, self.length, self.passed, kept]

    @classmethod
    def restore(cls, mark: Sequence[Any]) -> "Stream":
        """A stream as marked."""
        number, exchange, is_open, answered, length, passed, kept = mark
        stream = cls(number, exchange, list(is_open), answered, list(length), list(passed))
        if kept:
            stream.reset = Reset(exchange, Direction(kept[0]), *kept[1:])
        return stream


@dataclass(slots=True)
class Payload:
    """A frame's payload that is handed on, or skipped (`number` 0), as it comes."""

    number: int  # of the h2 stream
    left: int
    padding: int
    ends: bool  # END_STREAM
    owed: int  # bytes of framing that no event has counted yet
