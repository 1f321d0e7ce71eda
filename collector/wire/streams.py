"""What an HTTP/2 reader remembers: of each open h2 stream, and of the frame whose payload is passing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chaperone.collector.wire.events import Data, Event, Reset
from chaperone.proto.records import Direction

EARLY = -1  # the exchange of an h2 stream whose request is not here yet
_SMALL, _JOINED = 4096, 65536
_OBJECT = 256  # what an event that waits costs besides its bytes


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
    _joining: bytearray = field(default_factory=bytearray)  # the bytes of the last early event, if it is small body data

    def wait(self, event: Event) -> int:
        """Keep an event until the request is here; return what that costs. Small pieces of a body are joined."""
        last = self.early[-1] if self.early else None
        if isinstance(event, Data) and isinstance(last, Data) and self._follows(event, last):
            self._joining += event.data
            self.early[-1] = replace(last, size=last.size + event.size)
            return event.size
        self._join()
        self.early.append(event)
        if isinstance(event, Data):
            self._joining = bytearray(event.data) if len(event.data) < _SMALL else bytearray()
        return weight(event)

    def waited(self) -> list[Event]:
        """The events that waited; none are left."""
        self._join()
        early, self.early = self.early, []
        return early

    def _follows(self, event: Data, last: Data) -> bool:
        small = 0 < len(self._joining) < _JOINED and len(event.data) < _SMALL
        return small and event.time == last.time and event.position == last.position + len(self._joining)

    def _join(self) -> None:
        last = self.early[-1] if self.early else None
        if self._joining and isinstance(last, Data):
            self.early[-1] = replace(last, data=bytes(self._joining))
        self._joining = bytearray()

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


def weight(event: Event) -> int:
    """What an event that waits costs, in bytes."""
    return _OBJECT + int(getattr(event, "size", 0))
