"""What a server of HTTP/2 sends, as units, while refused requests wait for their answers.

The server gives a refused h2 stream back (RST_STREAM): the client gets the refusal there instead. A server that ends the
connection over it (GOAWAY) lets the client have the refusal first; one that answers by itself has answered.
"""

from dataclasses import replace

from chaperone.collector.wire.compose.frames import Frame, Frames, Kind
from chaperone.collector.wire.compose.leave import left
from chaperone.collector.wire.compose.units import FREE, Ruling, Unit
from chaperone.collector.wire.compose.window import Window
from chaperone.proto.refusals import Refusal

TEMPLATE = "http2-forbidden"
_WANTED = (Kind.SETTINGS, Kind.WINDOW_UPDATE, Kind.GOAWAY)
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
        return bool(self._awaited or self.units)

    def await_answer(self, key: int, refusal: Refusal) -> None:
        """A refused request leaves now, as what its server refuses."""
        if not self.is_busy:
            self._delivered = self.end
            self.units = left([Unit(self.end, self._frames.border)], self.end)
        self._awaited[refusal.h2_stream] = key
        self.rulings[key] = refusal

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
        if not self._awaited and self._frames.border < self.end:
            self.units += left([Unit(self._frames.border, self.end)], self._delivered)
            self._delivered = self.end

    def settle(self) -> None:
        """Forget what nothing asks for any more."""
        needed = {FREE, *self._awaited.values(), *(unit.key for unit in self.units)}
        self.rulings = {key: ruling for key, ruling in self.rulings.items() if key in needed}

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.GOAWAY:
            last = int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF
            if any(frame.payload[4:8]):  # an error: nothing more is answered
                last = 0
            for number in [number for number in self._awaited if number > last]:
                begin = max(frame.begin, self._delivered)
                self.units.append(Unit(begin, begin, self._awaited.pop(number), template=TEMPLATE))
        key = self._awaited.pop(frame.number, FREE) if frame.kind in _ANSWERS else FREE
        if key != FREE and frame.kind == Kind.RST_STREAM:
            self.units.append(Unit(frame.begin, frame.end, key, template=TEMPLATE))
        else:
            self.units += left([Unit(frame.begin, frame.end)], self._delivered)
