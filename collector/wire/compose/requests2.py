"""What a client of HTTP/2 writes, as units: each frame one, a header block with its CONTINUATIONs one.

What must keep its place stays between its neighbours: header blocks (both ends' tables), SETTINGS (the tables' size), GOAWAY,
and what is not known. The rest may overtake what waits on other h2 streams: a server that gets no WINDOW_UPDATE sends nothing.
A request that its client gives up while it is gathered is refused without an answer: only its header block leaves.
"""

from dataclasses import dataclass, replace

from chaperone.collector.wire.compose.encoding import in_block
from chaperone.collector.wire.compose.frames import HEAD, Flag, Frame, Frames, Kind
from chaperone.collector.wire.compose.leave import left
from chaperone.collector.wire.compose.units import FAR, FREE, Asked, Edit, Ruling, Unit
from chaperone.collector.wire.compose.window import Window
from chaperone.proto.refusals import Refusal

PREFACE = 24  # bytes before the first frame (RFC 9113 §3.4)
TEMPLATE = "http2-malformed"
PADDED, PRIORITY = 8, 32  # flags of HEADERS
PRIORITY_SIZE = 5
REFUSED_LIMIT = 1024  # refused requests that are whole, of whose h2 streams later frames are still dropped
WITHDRAWN = Refusal("withdrawn")  # its client gave it up: nobody waits for an answer

_FREELY = (Kind.WINDOW_UPDATE, Kind.PING, Kind.PRIORITY)


@dataclass(slots=True)
class _Request:
    """A request whose h2 stream the client has not ended, or that was refused. Positions are FAR until they are known."""

    key: int
    headed: int = FAR  # behind its header block
    ends: bool = False  # with its header block
    whole: int = FAR  # behind all of it
    held: int = 0


class Http2Requests:
    """From the first byte of a connection on. `is_plain`: no request may ask for a compressed answer."""

    def __init__(self, is_plain: bool = False) -> None:
        self.units: list[Unit] = [Unit(0, PREFACE)]
        self.rulings: dict[int, Ruling] = {FREE: None}
        self.window = Window()
        self._frames = Frames(PREFACE, (Kind.HEADERS,) if is_plain else ())
        self._ahead = PREFACE  # bytes of the preface still to come
        self._requests: dict[int, _Request] = {}  # by h2 stream
        self._block: int | None = None  # h2 stream of a header block that goes on

    @property
    def end(self) -> int:
        """Behind all bytes that came."""
        return self._frames.end - self._ahead

    @property
    def border(self) -> int:
        """Behind what is known of them."""
        return min(self._frames.border, self.end)

    def feed(self, data: bytes) -> None:
        """Bytes that follow."""
        ahead = min(self._ahead, len(data))
        self._ahead -= ahead
        for frame in self._frames.feed(data[ahead:]):
            self._take(frame)

    def asked(self) -> list[Asked]:
        """Requests that wait for a verdict, oldest first."""
        waiting = [(number, each) for number, each in self._requests.items() if each.headed <= self.end and each.key not in self.rulings]
        return [Asked(each.key, each.whole <= self.end, each.held, number) for number, each in waiting]

    def number_of(self, key: int) -> int:
        """The h2 stream of a request."""
        return next((number for number, each in self._requests.items() if each.key == key), 0)

    def rule(self, key: int, ruling: Ruling) -> None:
        """What was said of a request."""
        self.rulings[key] = ruling

    def leave(self, position: int) -> None:
        """All below left unheld."""
        self.units = left(self.units, position)

    def settle(self) -> None:
        """Forget what nothing asks for any more."""
        needed = {unit.key for unit in self.units}
        settled = {number: each.key for number, each in self._requests.items() if each.whole <= self.end and each.key in self.rulings}
        refused = [number for number, key in settled.items() if self.rulings[key] is not None]
        kept = {*refused[-REFUSED_LIMIT:]}
        for number in [number for number, key in settled.items() if number not in kept and key not in needed]:
            self._forget(number)

    def _forget(self, number: int) -> None:
        self.rulings.pop(self._requests.pop(number).key, None)

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.CONTINUATION and frame.number == self._block:
            self._continue(frame)
        elif frame.kind == Kind.HEADERS:
            self._head(frame)
        elif frame.kind == Kind.DATA:
            self._data(frame)
        elif frame.kind == Kind.RST_STREAM:
            self._reset(frame)
        else:
            self._add(frame, Unit(frame.begin, frame.end, overtakes=frame.kind in _FREELY))

    def _add(self, frame: Frame, unit: Unit) -> None:
        """With what is known of its h2 stream."""
        request = self._requests.get(frame.number)
        if request and request.key not in self.rulings:
            request.held += frame.end - frame.begin
        self.units.append(replace(unit, key=request.key if request else FREE, number=frame.number))

    def _head(self, frame: Frame) -> None:
        """A request, or the trailers of one."""
        if frame.number not in self._requests:
            self._requests[frame.number] = _Request(frame.begin)
            self.window.opened(frame.number)
        is_whole = bool(frame.flags & Flag.END_HEADERS)
        self._block = None if is_whole else frame.number
        edits = _plain(frame) if is_whole else ()
        self._add(frame, Unit(frame.begin, frame.end if is_whole else FAR, template=TEMPLATE, block=True, edits=edits))
        self._requests[frame.number].ends = bool(frame.flags & Flag.END_STREAM)
        if is_whole:
            self._headed(frame)

    def _continue(self, frame: Frame) -> None:
        self._requests[frame.number].held += frame.end - frame.begin
        if frame.flags & Flag.END_HEADERS:
            self._block = None
            self.units[-1] = replace(self.units[-1], end=frame.end)
            self._headed(frame)

    def _headed(self, frame: Frame) -> None:
        """The last frame of a header block is known."""
        request = self._requests[frame.number]
        request.headed = min(request.headed, frame.end)
        if request.ends:
            self._over(frame)

    def _data(self, frame: Frame) -> None:
        self.window.sent(frame.number, frame.size)
        self._add(frame, Unit(frame.begin, frame.end, overtakes=True, credit=frame.size))
        self._ended(frame)

    def _reset(self, frame: Frame) -> None:
        request = self._requests.get(frame.number)
        if request and request.key not in self.rulings:
            self.rulings[request.key] = WITHDRAWN
        self._add(frame, Unit(frame.begin, frame.end, overtakes=True))
        self._over(frame)

    def _ended(self, frame: Frame) -> None:
        if frame.flags & Flag.END_STREAM:
            self._over(frame)

    def _over(self, frame: Frame) -> None:
        """Behind this frame the client says no more on its h2 stream."""
        self.window.over(frame.number)
        if request := self._requests.get(frame.number):
            request.whole = min(request.whole, frame.end)


def _plain(frame: Frame) -> tuple[Edit, ...]:
    """Where its header block, in one frame whose bytes were wanted, asks for a compressed answer (RFC 9113 §6.2)."""
    payload = frame.payload
    begin = (1 if frame.flags & PADDED else 0) + (PRIORITY_SIZE if frame.flags & PRIORITY else 0)
    end = len(payload) - (payload[0] if frame.flags & PADDED and payload else 0)
    return in_block(payload[begin:end], frame.begin + HEAD + begin) if begin < end else ()
