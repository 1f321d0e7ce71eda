"""What a client of HTTP/1.1 writes, as units: each request one, from behind the one before it. Cut where the reader says.

What is behind the last request's end belongs to no known request yet and stays; what is behind an upgrade are channels.
"""

from dataclasses import dataclass, replace

from chaperone.collector.wire.compose.encoding import in_head
from chaperone.collector.wire.compose.leave import left
from chaperone.collector.wire.compose.units import FAR, FREE, Asked, Edit, Ruling, Unit
from chaperone.collector.wire.events import End, Event, Request, Response, Upgraded
from chaperone.collector.wire.head import Head, asks_upgrade
from chaperone.proto.records import Direction

TEMPLATE = "http1-harmless"
DIGITS = 18  # of a length that a position can have


@dataclass(slots=True)
class _Request:
    """One that is not over, or not left."""

    key: int
    expects: bool
    body: int = 0  # where its body ends, if its head says so
    whole: bool = False
    end: int = FAR


class Http1Requests:
    """From the first byte of a connection on. `is_plain`: no request may ask for a compressed answer."""

    def __init__(self, is_plain: bool = False) -> None:
        self._is_plain, self._raw = is_plain, bytearray()  # the last bytes that came, from where no request is known
        self.units: list[Unit] = []
        self.rulings: dict[int, Ruling] = {FREE: None}
        self.end = 0  # behind all bytes that came
        self.border = 0  # behind the last request that is known
        self._requests: dict[int, _Request] = {}
        self._upgrading: int | None = None  # a request to upgrade that is not answered
        self._has_channels = False  # behind the border

    @property
    def waits(self) -> bool:
        """Whether what came last is not known before the answer to an upgrade."""
        return self._upgrading is not None and self.border < self.end

    @property
    def unheld(self) -> int:
        """Up to where nothing needs to be held: the end of a body that may go on; FAR behind an upgrade."""
        if self._has_channels:
            return FAR
        last = next(reversed(self._requests.values()), None)
        return last.body if last and not last.whole and self.rulings.get(last.key, last) is None else 0

    def feed(self, data: bytes) -> None:
        """Bytes that follow: the reader has had them."""
        self.end += len(data)
        self._raw += data if self._is_plain else b""

    def hear(self, events: list[Event]) -> None:
        """What the reader said of them, or of the answers."""
        for event in events:
            if isinstance(event, Request):
                self._begin(event)
            elif isinstance(event, Upgraded):
                self._has_channels, self._upgrading = True, None
            elif isinstance(event, Response) and event.exchange == self._upgrading and (event.status or 0) >= 200:
                self._upgrading = None
            elif isinstance(event, End) and event.direction is Direction.OUT and event.exchange in self._requests:
                self._over(event)
        del self._raw[: max(0, len(self._raw) - max(0, self.end - self.border))]

    def asked(self) -> list[Asked]:
        """Requests that wait for a verdict, oldest first."""
        waiting = [each for key, each in self._requests.items() if key not in self.rulings]
        return [Asked(each.key, each.whole, min(each.end, self.end) - each.key, expects=each.expects) for each in waiting]

    def number_of(self, _key: int) -> int:
        """There are no h2 streams."""
        return 0

    def rule(self, key: int, ruling: Ruling) -> None:
        """What was said of a request."""
        self.rulings[key] = ruling

    def open(self, judged: int | None) -> None:
        """What channels were sent may leave up to there, None for all of it."""
        until = self.end if judged is None else min(judged, self.end)
        if self._has_channels and until > self.border:
            self.units.append(Unit(self.border, until))
            self.border = until

    def leave(self, position: int) -> None:
        """All below left unheld."""
        self.units = left(self.units, position)
        if self._has_channels:
            self.border = max(self.border, position)

    def settle(self) -> None:
        """Forget what nothing asks for any more."""
        needed = {unit.key for unit in self.units}
        for key in [key for key, each in self._requests.items() if each.whole and key in self.rulings and key not in needed]:
            del self._requests[key], self.rulings[key]

    def _begin(self, event: Request) -> None:
        self.units.append(Unit(self.border, FAR, event.exchange, template=TEMPLATE, edits=self._plain(event)))
        self.border = FAR
        self._requests[event.exchange] = _Request(event.exchange, _expects(event), _body_end(event))
        if asks_upgrade(Head(event.headers, 1, event.method or "")):
            self._upgrading = event.exchange

    def _plain(self, event: Request) -> tuple[Edit, ...]:
        begin = event.exchange - (self.end - len(self._raw))
        return in_head(bytes(self._raw[begin : begin + event.size]), event.exchange) if self._is_plain else ()

    def _over(self, event: End) -> None:
        """The request ends at the event's position: that is known once, and before anything behind it is."""
        request = self._requests[event.exchange]
        if request.whole:
            return
        request.whole, request.end, self.border = True, event.position, event.position
        self.units = [replace(unit, end=event.position) if unit.key == event.exchange else unit for unit in self.units]


def _expects(event: Request) -> bool:
    return any(name == "expect" and (value or "").strip().lower() == "100-continue" for name, value in event.headers)


def _body_end(event: Request) -> int:
    """By its Content-Length; 0 where it isn't plain."""
    sizes = {value or "" for name, value in event.headers if name == "content-length"}
    is_plain = len(sizes) == 1 and all(name and name != "transfer-encoding" for name, _ in event.headers)
    size = sizes.pop() if is_plain else ""
    return event.exchange + event.size + int(size) if size.isascii() and size.isdigit() and len(size) <= DIGITS else 0
