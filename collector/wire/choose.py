"""Which reader a stream needs: by its first bytes, and again behind an upgrade.

An HTTP/2 client starts with the preface, anything else is read as HTTP/1.1. Joined late there is no start to go by: then
the first boundary that either protocol shows decides, and without one within UNDECIDED_LIMIT the stream is unreadable.
"""

from typing import Any, Self

from chaperone.collector.wire.events import Event, Unreadable
from chaperone.collector.wire.http1 import Http1Reader
from chaperone.collector.wire.http2 import PREFACE, Http2Reader
from chaperone.collector.wire.intake import Gap, Intake
from chaperone.collector.wire.opaque import OpaqueReader
from chaperone.collector.wire.reader import Channels
from chaperone.collector.wire.resync import Search, http1_request, http1_response, http2_frame, is_settings
from chaperone.collector.wire.spdy import SpdyReader
from chaperone.collector.wire.tunnel import SpdyInWebSocketReader
from chaperone.collector.wire.websocket import WebSocketReader
from chaperone.proto.records import Cause, Direction

OUT, IN = Direction.OUT, Direction.IN

UNDECIDED_LIMIT = 1024 * 1024  # bytes of a direction in which a stream must show what it speaks
_TUNNEL = "spdy/3.1+"  # subprotocols whose messages carry SPDY: SPDY/3.1+portforward.k8s.io

_Http = Http1Reader | Http2Reader
_Restorable = type[Http1Reader] | type[Http2Reader] | type[WebSocketReader] | type[OpaqueReader]
_KINDS: dict[str, _Restorable] = {"h1": Http1Reader, "h2": Http2Reader, "websocket": WebSocketReader, "opaque": OpaqueReader}


class StreamReader:
    """A `Reader` for a whole stream, whatever it speaks."""

    def __init__(self) -> None:
        self._reader: _Http | Channels | None = None
        self._held: list[Intake | None] = [None, None]  # what came before the protocol is known
        self._starts = [0, 0]  # where that begins
        self._unreadable = False

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        if self._reader is not None:
            return self._follow(self._reader.feed(direction, position, data, time))
        if self._unreadable or not data:
            return []
        self._intake(direction, position).add(position, data, time)
        return self._decide(direction, time)

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes that the agent could not give us."""
        if self._reader is not None:
            return self._follow(self._reader.lose(direction, size, time, cause))
        if self._unreadable:
            return []
        self._intake(direction, 0).lose(size, time, cause)
        return self._decide(direction, time)

    def close(self, time: int) -> list[Event]:
        """The stream is over: what is still open ends here."""
        events = self._start(Http1Reader()) if self._reader is None and any(self._held) else []
        return events + (self._reader.close(time) if self._reader else [])

    @property
    def told(self) -> int | None:
        """Of channels behind an upgrade: up to which position all that the client sent is in an event. None where there are none."""
        return None if self._reader is None or isinstance(self._reader, Http1Reader | Http2Reader) else self._reader.told

    def replaced(self, exchange: int) -> None:
        """This request leaves as another one, a plain GET: so its answer is read. HTTP/2 answers a refused one by a reset."""
        if isinstance(self._reader, Http1Reader):
            self._reader.replaced(exchange)

    def mark(self) -> dict[str, Any] | None:
        """State to go on from, of msgpack types only. "positions": from where (out, in) bytes are needed."""
        if self._reader is None:
            kind = "unreadable" if self._unreadable else "undecided"
            return {"kind": kind, "positions": list(self._starts), "state": None}
        kind = next((name for name, cls in _KINDS.items() if isinstance(self._reader, cls)), "")
        state = self._reader.mark() if kind else None
        return {"kind": kind, "positions": _positions(state), "state": state} if state else None

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """A reader that goes on from `mark`."""
        reader = cls()
        reader._unreadable = mark["kind"] == "unreadable"
        if mark["kind"] in _KINDS:
            reader._reader = _KINDS[mark["kind"]].restore(mark["state"])
        return reader

    def _intake(self, direction: Direction, position: int) -> Intake:
        held = self._held[direction]
        if held is None:
            self._starts[direction] = position
            held = self._held[direction] = Intake(position)
        return held

    def _decide(self, direction: Direction, time: int) -> list[Event]:
        """Go on with the right reader once the protocol shows."""
        held = self._intake(direction, 0)
        if reader := self._chosen():
            return self._start(reader)
        if held.end - self._starts[direction] <= UNDECIDED_LIMIT:
            return []
        self._unreadable, self._held = True, [None, None]
        reason = f"neither HTTP/1.1 nor HTTP/2 within {UNDECIDED_LIMIT} bytes"
        return [Unreadable(None, direction, self._starts[direction], time, reason)]

    def _chosen(self) -> _Http | None:
        out, back = self._held
        if out and _from_start(out):
            return _by_client(bytes(out.window()[: len(PREFACE)]), out.gaps > 0)
        if back and _from_start(back) and (reader := _by_server(bytes(back.window()[:9]))):
            return reader
        late = [(held, search) for held, search in ((out, http1_request), (back, http1_response)) if held and not _from_start(held)]
        return next((reader for held, search in late if (reader := _by_boundary(held, search))), None)

    def _start(self, reader: _Http) -> list[Event]:
        """The protocol is known: let its reader have all that was held."""
        self._reader = reader
        held, self._held = self._held, [None, None]
        events: list[Event] = []
        for direction, intake in zip(Direction, held, strict=True):
            if intake is not None:
                rest = intake.rest()
                events += self._hand(direction, rest or [Gap(0, intake.end, intake.time, Cause.UNKNOWN)])
        return events

    def _follow(self, events: list[Event]) -> list[Event]:
        """Change readers behind an upgrade."""
        done = self._reader
        if not isinstance(done, Http1Reader) or not (upgraded := done.upgraded):
            return events
        cls = _reader_of(upgraded.protocol, upgraded.subprotocol)
        self._reader = cls(upgraded.exchange, done.positions)
        for direction in Direction:
            events += self._hand(direction, done.rest(direction))
        return events

    def _hand(self, direction: Direction, rest: list[tuple[int, bytes, int] | Gap]) -> list[Event]:
        events: list[Event] = []
        for item in rest:
            if isinstance(item, Gap):
                events += self.lose(direction, item.size, item.time, item.cause)
            else:
                events += self.feed(direction, *item)
        return events


def _reader_of(
    protocol: str, subprotocol: str
) -> type[WebSocketReader] | type[SpdyReader] | type[SpdyInWebSocketReader] | type[OpaqueReader]:
    if protocol == "websocket":
        return SpdyInWebSocketReader if subprotocol.lower().startswith(_TUNNEL) else WebSocketReader
    return SpdyReader if protocol == "spdy/3.1" else OpaqueReader


def _from_start(held: Intake) -> bool:
    """Are the first bytes of the direction there?"""
    return held.position == 0 and held.ready > 0


def _by_client(begin: bytes, is_torn: bool) -> _Http | None:
    """By what a client sends first; `is_torn`: bytes are missing behind it."""
    if begin == PREFACE:
        return Http2Reader()
    if not PREFACE.startswith(begin):
        return Http1Reader()
    if is_torn:
        return Http2Reader() if len(begin) > 3 else Http1Reader()
    return None


def _by_server(begin: bytes) -> _Http | None:
    """By what a server sends first: a status line, or SETTINGS (RFC 9113 §3.4)."""
    if begin.startswith(b"HTTP/1."):
        return Http1Reader()
    return Http2Reader() if len(begin) == 9 and is_settings(begin) else None


def _by_boundary(held: Intake, http1_search: Search) -> _Http | None:
    """By the first boundary of either protocol in what was joined late; what surely holds none is given up."""
    while True:
        window = held.window()
        (line, not_line), (frame, not_frame) = http1_search(window), http2_frame(window)
        del window
        if line >= 0 and not 0 <= frame < line:
            return Http1Reader()
        if frame >= 0:
            return Http2Reader()
        held.drop(min(not_line, not_frame))
        if not held.gaps:
            return None
        held.bridge()


def _positions(state: dict[str, Any] | None) -> list[int]:
    if state is None:
        return [0, 0]
    positions: list[int] = state["positions"] if "positions" in state else [side["position"] for side in state["sides"]]
    return positions
