"""HTTP/1.1, both directions (RFC 9112): requests queue, responses are matched to them in order.

A response may be here before its request (the directions are read apart); it waits, up to SKEW_LIMIT. Bytes behind a
request to upgrade wait for the answer. Bytes that two readers could understand differently are read as the apiserver
(Go net/http) does and make an `Ambiguous`. A hole inside a body of known length is skipped; any other ends that message,
reading goes on at the next start line, and from there on pairing by order is a doubt that each exchange carries.

Requests and responses share the queue that pairs them, so both are in this file.
"""

from collections import deque
from dataclasses import astuple, dataclass
from typing import Any, Self

from chaperone.collector.wire import head as heads
from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.events import (
    Ambiguous,
    Data,
    End,
    Event,
    Lost,
    Protocol,
    Request,
    Response,
    Resumed,
    Trailers,
    Unreadable,
    Upgraded,
)
from chaperone.collector.wire.head import Framing, Head
from chaperone.collector.wire.intake import SKEW_LIMIT, Gap
from chaperone.collector.wire.resync import HTTP1_EVIDENCE, http1_request, http1_response
from chaperone.collector.wire.side import Parser, Side
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN

HEAD_LIMIT = 1_048_576 + 4096  # Go net/http DefaultMaxHeaderBytes and its slop
CHUNK_LINE_LIMIT = 4096  # Go net/http/internal maxLineLength
QUEUE_LIMIT = 1024  # requests that wait for their answers

_ENDLESS = 1 << 62  # bytes left of a body that ends with the connection
_NOBODY = -1  # the exchange of an answer whose request was not seen
BEHIND_A_HOLE = "matched to its request by order behind a hole"
_UNSEEN = "an answer to a request that was not seen"


@dataclass(slots=True)
class _Waiting:
    """A request whose answer is not over."""

    exchange: int
    method: str
    expects: bool  # sent Expect: 100-continue and no 100 came: it may leave its body unsent


@dataclass(slots=True)
class _Body:
    """A message whose head is done: how much of it is to come."""

    exchange: int
    framing: str
    left: int  # of the body, or of the current chunk
    chunk: bool = False  # CRLF comes before the next chunk size
    begun: bool = False
    optional: bool = False  # nothing of it came, and it was answered without 100: it need not come


class Http1Reader:
    """Requests and responses of one HTTP/1.1 stream. Once `upgraded` is set it reads nothing more; see `rest`."""

    def __init__(self, positions: tuple[int, int] = (0, 0)) -> None:
        self.upgraded: Upgraded | None = None
        self._sides = (Side(OUT, positions[OUT]), Side(IN, positions[IN]))
        self._counted = list(positions)  # bytes before these positions belong to an event
        self._bodies: list[_Body | None] = [None, None]
        self._queue: deque[_Waiting] = deque()
        self._deciding: _Waiting | None = None  # asked for an upgrade: what its bytes will be is not known yet
        self._seen = False  # a request was
        self._holes = False  # one was met, outside a body of known length
        self._events: list[Event] = []
        self._sides[OUT].parser, self._sides[IN].parser = self._requests(), self._responses()

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        self._sides[direction].intake.add(position, data, time)
        return self._read(direction)

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes that the agent could not give us."""
        self._sides[direction].intake.lose(size, time, cause)
        return self._read(direction)

    def close(self, time: int) -> list[Event]:
        """The stream is over: what is still open ends here."""
        for side in self._sides:
            side.intake.time = max(side.intake.time, time)
            self._leave(side)
        while self._queue:
            self._end(IN, self._queue[0].exchange, complete=False)
        return self._taken()

    def replaced(self, exchange: int) -> None:
        """This request leaves as a plain GET: what its answer looks like, and that it is no upgrade, follows from that."""
        for waiting in self._queue:
            if waiting.exchange == exchange:
                waiting.method = "GET"
                self._deciding = None if self._deciding is waiting else self._deciding

    @property
    def positions(self) -> tuple[int, int]:
        """Of the first unclaimed byte of each direction."""
        return self._sides[OUT].intake.position, self._sides[IN].intake.position

    def rest(self, direction: Direction) -> list[tuple[int, bytes, int] | Gap]:
        """The bytes behind an upgrade that were fed already, and gaps, in order."""
        return self._sides[direction].intake.rest()

    # Running the two parsers

    def _read(self, direction: Direction) -> list[Event]:
        self._run(self._sides[direction])
        if self._sides[1 - direction].waits:
            self._run(self._sides[1 - direction])
            self._run(self._sides[direction])
        return self._taken()

    def _run(self, side: Side) -> None:
        while side.waits and (problem := side.run()):
            if isinstance(problem, Hole):
                self._hole(side)
            else:
                self._give_up(side, str(problem))
        if side.parser is None and self.upgraded is None:
            side.intake.clear()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Requests

    def _requests(self) -> Parser:
        side = self._sides[OUT]
        while True:
            if body := self._bodies[OUT]:
                yield from self._body(side, body)
            side.border = side.intake.position
            while self._deciding:
                self._check_decidable(side.intake.held)
                yield
            while (raw := side.intake.through(heads.HEAD_END, 2, HEAD_LIMIT)) is None:
                if not heads.may_be_request(side.intake.peek(40)):
                    raise Malformed("not an HTTP request line")
                yield
            if line := raw.lstrip(b"\r\n"):
                self._request(heads.request(line), len(line), len(line) < len(raw))

    def _request(self, head: Head, size: int, padded: bool) -> None:
        intake = self._sides[OUT].intake
        exchange = intake.position - size
        authority = (head.values("host") or [""])[0]
        self._seen = True
        self._counted[OUT] = intake.position
        self._events.append(Request(exchange, intake.time, Protocol.HTTP1, head.method, head.target, authority, head.headers, size))
        self._doubt(OUT, exchange, head.doubts + (("empty lines before a request",) if padded else ()))
        self._await(_Waiting(exchange, head.method, _expects(head)), heads.asks_upgrade(head))
        self._begin(OUT, exchange, head, Framing.NONE)

    def _await(self, waiting: _Waiting, upgrade: bool) -> None:
        """Queue a request for its answer."""
        if len(self._queue) >= QUEUE_LIMIT:
            raise Malformed(f"more than {QUEUE_LIMIT} requests wait for an answer")
        self._queue.append(waiting)
        self._deciding = waiting if upgrade else None
        if self._sides[IN].parser is None:
            self._end(IN, waiting.exchange, complete=False)

    def _check_decidable(self, held: int) -> None:
        if self._sides[IN].parser is None:
            raise Malformed("whether the upgrade was accepted is not known")
        if held > SKEW_LIMIT:
            raise Malformed(f"more than {SKEW_LIMIT} bytes before the answer to an upgrade")

    # Responses

    def _responses(self) -> Parser:
        side = self._sides[IN]
        while not self.upgraded:
            if body := self._bodies[IN]:
                yield from self._body(side, body)
            side.border = side.intake.position
            while not side.intake.ready or not (self._queue or self._is_unasked()):
                if self._sides[OUT].parser is None:
                    return
                self._check_ahead(side)
                yield
            waiting = self._queue[0] if self._queue else None
            while (raw := side.intake.through(heads.HEAD_END, 2, HEAD_LIMIT)) is None:
                self._check_ahead(side)
                yield
            self._response(heads.response(raw), waiting)

    def _is_unasked(self) -> bool:
        """Is what comes the answer to a request that is lost?"""
        side = self._sides[OUT]
        return side.searching or (self._holes and side.intake.end == 0)

    def _check_ahead(self, side: Side) -> None:
        if side.intake.gap():
            raise Hole(0)
        if not heads.may_be_response(side.intake.peek(7)):
            raise Malformed("not an HTTP status line")
        if side.intake.held > SKEW_LIMIT:
            raise Malformed(f"an answer more than {SKEW_LIMIT} bytes ahead of its request")

    def _response(self, head: Head, waiting: _Waiting | None) -> None:
        if waiting is None:
            self._unasked(head)
            return
        self._answer(waiting.exchange, head)
        if head.status == 101 or (waiting.method == "CONNECT" and 200 <= head.status < 300):
            self._upgrade(waiting, head)
        elif head.status < 200:
            waiting.expects = waiting.expects and head.status != 100
        else:
            self._final(waiting, head)

    def _unasked(self, head: Head) -> None:
        side = self._sides[IN]
        self._events.append(Unreadable(None, IN, side.border, side.intake.time, _UNSEEN))
        if head.status == 101:
            raise Malformed("an upgrade whose request was not seen")
        if head.status >= 200:
            self._begin(IN, _NOBODY, head, Framing.NONE if head.status in (204, 304) else Framing.CLOSE)

    def _answer(self, exchange: int, head: Head) -> None:
        side = self._sides[IN]
        size = side.intake.position - side.border
        self._counted[IN] = side.intake.position
        self._events.append(Response(exchange, side.border, side.intake.time, head.status, head.headers, size))
        self._doubt(IN, exchange, head.doubts)
        if self._holes:  # it may be another request's: neither is known to be whole
            self._doubt(IN, exchange, (BEHIND_A_HOLE,))
            self._events.append(Lost(exchange, IN, side.border, 0, side.intake.time, BEHIND_A_HOLE))

    def _upgrade(self, waiting: _Waiting, head: Head) -> None:
        intake = self._sides[IN].intake
        if self._deciding is not waiting:
            self._doubt(IN, waiting.exchange, ("an upgrade that was not asked for",))
        protocol = (head.values("upgrade") or ["connect" if head.status != 101 else ""])[0].strip().lower()
        subprotocol = (head.values("sec-websocket-protocol") or [""])[0]
        self.upgraded = Upgraded(waiting.exchange, intake.position, intake.time, protocol, subprotocol)
        self._events.append(self.upgraded)
        self._sides[OUT].parser = None
        self._queue.clear()

    def _final(self, waiting: _Waiting, head: Head) -> None:
        if self._deciding is waiting:
            self._deciding = None
        if waiting.expects and (body := self._bodies[OUT]) and body.exchange == waiting.exchange:
            body.optional = not body.begun
        if waiting.method == "HEAD" or head.status in (204, 304):
            self._end(IN, waiting.exchange)
        else:
            self._begin(IN, waiting.exchange, head, Framing.CLOSE)

    # Bodies

    def _begin(self, direction: Direction, exchange: int, head: Head, otherwise: Framing) -> None:
        """The head is done: a body begins, or the message is over."""
        try:
            framing, size, doubts = heads.framing(head, otherwise)
        except Malformed:
            self._bodies[direction] = _Body(exchange, Framing.NONE, 0)
            raise
        self._doubt(direction, exchange, tuple(doubts))
        if framing is Framing.NONE:
            self._end(direction, exchange)
        else:
            self._bodies[direction] = _Body(exchange, framing, _ENDLESS if framing is Framing.CLOSE else size)
            self._sides[direction].border = self._sides[direction].intake.position

    def _body(self, side: Side, body: _Body) -> Parser:
        if body.framing == Framing.CHUNKED:
            yield from self._chunks(side, body)
        else:
            yield from self._bytes(side, body)
        self._end(side.direction, body.exchange)

    def _bytes(self, side: Side, body: _Body) -> Parser:
        """`body.left` bytes, as they come."""
        intake = side.intake
        while body.left:
            if intake.ready:
                body.begun, body.optional = True, False
                position = intake.position
                data = intake.some(body.left)
                body.left -= len(data)
                self._data(side, body.exchange, position, data)
            elif gap := intake.gap():
                self._bridge(side, body, gap.size)
            else:
                yield

    def _bridge(self, side: Side, body: _Body, size: int) -> None:
        """Skip a hole that lies in this body."""
        if size > body.left:
            raise Hole(size)
        gap = side.intake.bridge()
        body.left -= size
        exchange = None if body.exchange == _NOBODY else body.exchange
        self._events.append(Lost(exchange, side.direction, gap.position, gap.size, gap.time, gap.cause))
        self._counted[side.direction] = side.border = side.intake.position

    def _data(self, side: Side, exchange: int, position: int, data: memoryview) -> None:
        side.border = end = side.intake.position
        if exchange != _NOBODY:
            size = end - self._counted[side.direction]
            self._events.append(Data(exchange, side.direction, position, side.intake.time, data, size))
        self._counted[side.direction] = end

    def _chunks(self, side: Side, body: _Body) -> Parser:
        """Chunks and trailers (RFC 9112 §7.1)."""
        intake = side.intake
        while True:
            yield from self._bytes(side, body)
            if body.chunk:
                while not intake.has(2):
                    yield
                if intake.take(2) != b"\r\n":
                    raise Malformed("no line end behind a chunk")
                body.chunk, side.border = False, intake.position
            while (line := intake.through(heads.LINE_END, 0, CHUNK_LINE_LIMIT)) is None:
                yield
            size, doubts = heads.chunk_size(line)
            self._doubt(side.direction, body.exchange, doubts)
            if not size:
                break
            body.left, body.chunk, side.border = size, True, intake.position
        yield from self._trailers(side, body)

    def _trailers(self, side: Side, body: _Body) -> Parser:
        intake, lines, size = side.intake, [b""], 0
        position = intake.position
        while lines[-1] not in (b"\r\n", b"\n"):
            while (line := intake.through(heads.LINE_END, 0, HEAD_LIMIT - size)) is None:
                yield
            size += len(line)
            lines.append(line)
        if len(lines) > 2 and body.exchange != _NOBODY:
            headers, doubts = heads.trailers(b"".join(lines))
            counted, self._counted[side.direction] = self._counted[side.direction], intake.position
            self._events.append(Trailers(body.exchange, side.direction, position, intake.time, headers, intake.position - counted))
            self._doubt(side.direction, body.exchange, doubts)

    def _end(self, direction: Direction, exchange: int, complete: bool = True) -> None:
        """The message of this direction is over."""
        side = self._sides[direction]
        position = side.intake.position
        self._bodies[direction] = None
        side.border = position
        if exchange != _NOBODY:
            size = max(0, position - self._counted[direction]) if complete else 0
            self._events.append(End(exchange, direction, position, side.intake.time, complete, size))
            self._counted[direction] = position
        if direction == IN and self._queue and self._queue[0].exchange == exchange:
            self._queue.popleft()

    def _doubt(self, direction: Direction, exchange: int, reasons: tuple[str, ...]) -> None:
        side = self._sides[direction]
        if exchange != _NOBODY:
            self._events += [Ambiguous(exchange, direction, side.border, side.intake.time, why) for why in reasons]

    # Holes and ends

    def _concerned(self, side: Side) -> int | None:
        """The exchange that a problem at this place belongs to."""
        if body := self._bodies[side.direction]:
            return None if body.exchange == _NOBODY else body.exchange
        return self._queue[0].exchange if side.direction == IN and self._queue else None

    def _hole(self, side: Side) -> None:
        """Bytes are missing where the parser needs them: end what they cut off, and look for the next start line."""
        exchange = self._concerned(side)
        if side.intake.ready and not side.searching:
            self._unreadable(side, "cut off by a hole")
        gap = side.intake.bridge()
        self._events.append(Lost(exchange, side.direction, gap.position, gap.size, gap.time, gap.cause))
        if body := self._bodies[side.direction]:
            self._end(side.direction, body.exchange, complete=False)
        self._holes = True
        self._search(side)

    def _search(self, side: Side) -> None:
        boundary = http1_request if side.direction == OUT else http1_response
        side.search(boundary, lambda: self._resume(side))

    def _resume(self, side: Side) -> Parser:
        self._events.append(Resumed(side.direction, side.border, side.intake.time, HTTP1_EVIDENCE))
        if side.direction == OUT:
            yield from self._requests()
        while len(self._queue) > 1:  # clients wait for an answer before they ask again: these were answered in the hole
            self._end(IN, self._queue[0].exchange, complete=False)
        yield from self._responses()

    def _give_up(self, side: Side, reason: str) -> None:
        """Read nothing more of this direction; the other goes on, unless nothing of this stream was ever HTTP."""
        self._unreadable(side, reason)
        if body := self._bodies[side.direction]:
            self._end(side.direction, body.exchange, complete=False)
        while side.direction == IN and self._queue:
            self._end(IN, self._queue[0].exchange, complete=False)
        if not self._seen and not self._holes:
            self._sides[1 - side.direction].stop()

    def _unreadable(self, side: Side, reason: str) -> None:
        self._events.append(Unreadable(self._concerned(side), side.direction, side.border, side.intake.time, reason))

    def _leave(self, side: Side) -> None:
        """The stream is over: say what of this direction was not read to its end."""
        body = self._bodies[side.direction]
        if side.parser and side.searching:
            self._events.append(Unreadable(None, side.direction, side.missed, side.intake.time, "no start line behind a hole"))
        elif side.parser and side.intake.held:
            self._unreadable(side, "the stream ends inside a message" if body or self._queue or side.direction == OUT else _UNSEEN)
        if body:
            whole = body.framing == Framing.CLOSE or body.optional
            self._end(side.direction, body.exchange, complete=whole)
        side.stop()

    # Marks

    def mark(self) -> dict[str, Any] | None:
        """State to go on from, at the last border of each direction; None once upgraded."""
        if self.upgraded:
            return None
        return {
            "positions": [side.settled for side in self._sides],
            "sides": [[side.parser is not None, side.searching, side.missed, side.intake.end] for side in self._sides],
            "counted": list(self._counted),
            "bodies": [astuple(body) if body else None for body in self._bodies],
            "queue": [astuple(waiting) for waiting in self._queue],
            "flags": [self._deciding is not None, self._seen, self._holes],
        }

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """A reader that goes on from `mark`."""
        reader = cls((mark["positions"][OUT], mark["positions"][IN]))
        reader._counted = list(mark["counted"])
        reader._bodies = [_Body(*body) if body else None for body in mark["bodies"]]
        reader._queue = deque(_Waiting(*waiting) for waiting in mark["queue"])
        deciding, reader._seen, reader._holes = mark["flags"]
        reader._deciding = reader._queue[-1] if deciding else None
        for side, (reading, searching, missed, _) in zip(reader._sides, mark["sides"], strict=True):
            if not reading:
                side.stop()
            elif searching:
                side.searching, side.missed = True, missed
                reader._search(side)
        return reader


def _expects(head: Head) -> bool:
    return "100-continue" in (value.lower() for value in head.values("expect"))
