"""SPDY inside WebSocket messages: port-forward since Kubernetes 1.31 (`SPDY/3.1+portforward.k8s.io`).

The payloads of a direction's data messages are one SPDY stream; message borders are not frame borders. An event's
position lies within the message that completed it, as far in as its first byte does (the message's head is not counted, so
it is up to 14 bytes early, but no two frames share one). Its size is that of all WebSocket bytes since the event before.
"""

from dataclasses import replace
from typing import Any

from chaperone.collector.wire.events import (
    Ambiguous,
    Closed,
    End,
    Event,
    Lost,
    Message,
    Resumed,
    StrandData,
    StrandOpened,
    StrandReset,
    Unreadable,
)
from chaperone.collector.wire.spdy import SpdyReader
from chaperone.collector.wire.websocket import WebSocketReader
from chaperone.proto.records import Direction

Gap = Lost | Unreadable


class SpdyInWebSocketReader:
    """Both directions behind a 101 that agreed on `websocket` and a SPDY subprotocol."""

    def __init__(self, exchange: int, positions: tuple[int, int]) -> None:
        """`positions`: of the first byte behind the heads, out and in."""
        self._outer = WebSocketReader(exchange, positions)
        self._inner = SpdyReader(exchange, (0, 0))
        self._carried = [0, 0]  # bytes of each direction that the messages brought
        self._unsaid = [0, 0]  # bytes of messages that no event has counted yet
        self._untold: int | None = None  # position of the client's message in which the frame begins that is not whole

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        return self._through(direction, self._outer.feed(direction, position, data, time))

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes are missing."""
        return self._through(direction, self._outer.lose(direction, size, time, cause))

    def close(self, time: int) -> list[Event]:
        """The stream is over: half a frame is passed on as it is, both directions end."""
        events: list[Event] = []
        inner = self._inner.close(time)
        for event in self._outer.close(time):
            if isinstance(event, End):
                events += self._ended(event, inner)
            elif isinstance(event, Message):
                events += self._carry(event.direction, event)
        return events

    @property
    def told(self) -> int:
        """Position up to which all that the client sent is in an event, or in a frame that is whole."""
        return self._outer.told if self._untold is None else self._untold

    def mark(self) -> dict[str, Any] | None:
        """None: an inflater cannot be saved."""
        return None

    def _through(self, direction: Direction, events: list[Event]) -> list[Event]:
        return [inner for event in events for inner in self._open(direction, event)]

    def _open(self, direction: Direction, event: Event) -> list[Event]:
        """What one event of the outer frames means."""
        if isinstance(event, Message):
            return self._carry(direction, event)
        if isinstance(event, Lost):
            self._carried[direction] += event.size
            return [event, *self._place(self._inner.lose(direction, event.size, event.time, event.cause), event, direction)]
        if isinstance(event, Unreadable):
            return [event, *self._place(self._inner.tear(direction, event.time), event, direction)]
        return [event]

    def _carry(self, direction: Direction, message: Message) -> list[Event]:
        self._unsaid[direction] += message.size
        begin = self._carried[direction]
        self._carried[direction] += len(message.data)
        inner = self._inner.feed(direction, begin, message.data, message.time)
        if direction is Direction.OUT:
            self._remember(message.position, begin)
        return [self._placed(event, message.position + _offset(event, begin), direction) for event in inner]

    def _remember(self, position: int, begin: int) -> None:
        """After a message that began inside at `begin`: a frame that begins before it is not whole still, and known."""
        if self._inner.told == self._carried[Direction.OUT]:
            self._untold = None
        elif self._inner.told >= begin:
            self._untold = position

    def _place(self, events: list[Event], outer: Gap, direction: Direction) -> list[Event]:
        """Inner events where the outer one is. What that one says already is left out."""
        said = (Lost,) if isinstance(outer, Lost) else (Lost, Unreadable)
        return [self._placed(event, outer.position, direction) for event in events if not isinstance(event, said)]

    def _placed(self, event: Event, position: int, direction: Direction) -> Event:
        if isinstance(event, Closed | StrandOpened | StrandData | StrandReset):
            size, self._unsaid[direction] = self._unsaid[direction], 0
            return replace(event, position=position, size=size)
        return replace(event, position=position) if isinstance(event, Lost | Unreadable | Resumed | Ambiguous) else event

    def _ended(self, end: End, inner: list[Event]) -> list[Event]:
        """What was half there inside, and the end of both layers in one."""
        mine = [event for event in inner if getattr(event, "direction", None) is end.direction]
        complete = end.complete and all(event.complete for event in mine if isinstance(event, End))
        rest = [self._placed(event, end.position, end.direction) for event in mine if not isinstance(event, End)]
        return [*rest, replace(end, complete=complete, size=end.size + self._unsaid[end.direction])]


def _offset(event: Event, begin: int) -> int:
    """How far into the message that began at `begin` an inner event does."""
    return max(getattr(event, "position", begin) - begin, 0)
