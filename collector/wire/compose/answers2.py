"""What a server of HTTP/2 sends, as units, while refused requests wait for their answers.

The server gives a refused h2 stream back (RST_STREAM): the client gets the refusal there instead. A server that ends the
connection over it (GOAWAY) lets the client have the refusal first; one that answers by itself has answered. Credit that no refusal can take
along stands in the place of the server's answer to a ping of ours.
"""

from dataclasses import replace

from chaperone.collector.wire.compose.frames import Flag, Frame, Frames, Kind
from chaperone.collector.wire.compose.leave import left
from chaperone.collector.wire.compose.masked import MaskedAnswer
from chaperone.collector.wire.compose.units import CREDIT, FREE, MASKED, Ruling, Unit
from chaperone.collector.wire.compose.window import Window
from chaperone.collector.wire.events import Data, End, Event, Reset, Response
from chaperone.proto.records import Direction
from chaperone.proto.refusals import TOKEN, Refusal

TEMPLATE = "http2-forbidden"
CREDIT_TEMPLATE = "http2-credit"
_WANTED = (Kind.SETTINGS, Kind.WINDOW_UPDATE, Kind.GOAWAY, Kind.PING)
_ANSWERS = (Kind.RST_STREAM, Kind.HEADERS)


class Http2Answers:
    """From the first byte of a connection on."""

    def __init__(self, window: Window) -> None:
        self.units: list[Unit] = []
        self.rulings: dict[int, Ruling] = {FREE: None}
        self._window = window
        self._frames = Frames(wanted=_WANTED)
        self._delivered = 0  # all below was, when nobody waited
        self._awaited: dict[int, int] = {}  # h2 stream → key of a refused request
        self._masked: dict[int, MaskedAnswer] = {}  # h2 stream → its answer, in which secrets are replaced
        self._numbers: dict[int, int] = {}  # key of such a request → h2 stream
        self._is_pinged = False  # a ping of ours has no answer yet

    @property
    def end(self) -> int:
        """Behind all bytes that came."""
        return self._frames.end

    @property
    def border(self) -> int:
        """Behind what is known of them; while nobody waits, nothing needs to be."""
        return min(self._frames.border, self.end) if self.is_busy else self.end

    @property
    def is_busy(self) -> bool:
        """Whether reads must be held: somebody waits for an answer, or something stays."""
        return self._expects or bool(self.units)

    @property
    def _expects(self) -> bool:
        """Whether somebody waits for something that the server has not said yet."""
        return bool(self._awaited or self._masked or self._is_pinged)

    @property
    def problem(self) -> str:
        """Why nothing more can be delivered."""
        return next((masked.problem for masked in self._masked.values() if masked.problem), "")

    def mask(self, key: int, number: int, masked: MaskedAnswer) -> None:
        """Replace secrets in the answer to this request."""
        self._look_out()
        self._masked[number], self._numbers[key] = masked, number

    def hear(self, events: list[Event]) -> None:
        """What the reader said of answers in which secrets are looked for."""
        for event in events:
            number = self._numbers.get(getattr(event, "exchange", None) or 0)
            masked = self._masked.get(number) if number is not None else None
            if masked is None or number is None:
                continue
            if isinstance(event, Response):
                masked.head(event)
            elif isinstance(event, Data) and event.direction is Direction.IN:
                masked.data(event)
            elif isinstance(event, Reset) or (isinstance(event, End) and event.direction is Direction.IN):
                masked.end()
        self.units = [self._looked_through(unit) for unit in self.units]

    def _looked_through(self, unit: Unit) -> Unit:
        """A frame of an answer in which secrets are looked for is known once it is here and all of it was looked through."""
        masked = self._masked.get(unit.number) if unit.key == MASKED else None
        if masked is None or masked.problem or unit.end > self.end or masked.settled < unit.end:
            return unit
        return replace(unit, key=FREE, edits=masked.taken(unit.end))

    def _look_out(self) -> None:
        """Reads are held from now on."""
        if not self.is_busy:
            self._delivered = self.end
            self.units = left([Unit(self.end, self._frames.border)], self.end)

    def await_answer(self, key: int, refusal: Refusal) -> None:
        """A refused request leaves now, as what its server refuses."""
        self._look_out()
        self._awaited[refusal.h2_stream] = key
        self.rulings[key] = refusal

    @property
    def owes(self) -> bool:
        """Whether credit waits for the answer to a ping."""
        return CREDIT in self.rulings

    def await_credit(self, size: int) -> None:
        """A ping leaves now: its answer gives this back."""
        self._look_out()
        self._is_pinged, self.rulings[CREDIT] = True, Refusal("credit", credit=size)

    def credit(self, key: int, size: int) -> bool:
        """Give this back with the answer; False when it is on its way already."""
        refusal = self.rulings.get(key)
        if refusal is None or key not in self._awaited.values():
            return False
        self.rulings[key] = replace(refusal, credit=refusal.credit + size)
        return True

    def feed(self, data: bytes) -> None:
        """Bytes that follow."""
        for frame in self._frames.feed(data):
            self._window.received(frame)
            if self.is_busy:
                self._take(frame)

    def leave(self, position: int) -> None:
        """All below was delivered unheld."""
        self._delivered = position
        self.units = left(self.units, position)

    def loosen(self) -> None:
        """Nobody waits any more: the beginning of a frame that is not known yet is not kept back for it."""
        if not self._expects and self._frames.border < self.end:
            self.units += left([Unit(self._frames.border, self.end)], self._delivered)
            self._delivered = self.end

    def settle(self) -> None:
        """Forget what nothing asks for any more."""
        done = [number for number, masked in self._masked.items() if masked.is_over and not masked.problem]
        for number in [number for number in done if all(unit.number != number or unit.key != MASKED for unit in self.units)]:
            del self._masked[number]
        self._numbers = {key: number for key, number in self._numbers.items() if number in self._masked}
        needed = {FREE, *self._awaited.values(), *(unit.key for unit in self.units), *([CREDIT] if self._is_pinged else ())}
        self.rulings = {key: ruling for key, ruling in self.rulings.items() if key in needed}

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.GOAWAY:
            last = int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF
            if any(frame.payload[4:8]):  # an error: nothing more is answered
                last, self._is_pinged = 0, False
            for number in [number for number in self._awaited if number > last]:
                begin = max(frame.begin, self._delivered)
                self.units.append(Unit(begin, begin, self._awaited.pop(number), template=TEMPLATE))
        key = self._awaited.pop(frame.number, FREE) if frame.kind in _ANSWERS else FREE
        if key != FREE and frame.kind == Kind.RST_STREAM:
            self.units.append(Unit(frame.begin, frame.end, key, template=TEMPLATE))
        elif self._is_pinged and _is_answer(frame):
            self._is_pinged = False
            self.units.append(Unit(frame.begin, frame.end, CREDIT, template=CREDIT_TEMPLATE))
        elif frame.kind == Kind.DATA and frame.number in self._masked:
            self.units.append(Unit(frame.begin, frame.end, MASKED, frame.number, overtakes=True))
        else:
            overtakes = frame.kind in (Kind.DATA, Kind.WINDOW_UPDATE, Kind.PING)
            self.units += left([Unit(frame.begin, frame.end, number=frame.number, overtakes=overtakes)], self._delivered)


def _is_answer(frame: Frame) -> bool:
    """To a ping of ours."""
    return frame.kind == Kind.PING and bool(frame.flags & Flag.ACK) and frame.payload == TOKEN
