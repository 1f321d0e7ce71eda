"""An agent, a client and servers without a kernel: writes are held, orders of a Composer carried out on them, and what left is served.

The servers judge for themselves what they got: HTTP/2 by hpack and frames, so that a table out of step shows.
"""

import http.client
import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import h11
import hpack

from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.compose.composer import Composer
from chaperone.collector.wire.compose.frames import Frame, Frames, Kind
from chaperone.collector.wire.compose.spans import Scanners
from chaperone.collector.wire.compose.units import Asked, Name, Order, Part, Ruling
from chaperone.collector.wire.events import Event, Request
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal, frame, made

OUT, IN = Direction.OUT, Direction.IN
END_STREAM, END_HEADERS = 1, 4
Judge = Callable[[Request, Asked], Ruling]


@dataclass
class Held:
    """One stream. `judge` says what becomes of a request; reads and writes are held as the composer wants them to be."""

    judge: Judge
    scanners: Scanners | None = None  # all answers are masked by these
    composer: Composer = field(default_factory=Composer)
    reader: StreamReader = field(default_factory=StreamReader)
    orders: list[Order] = field(default_factory=list)
    requests: dict[int, Request] = field(default_factory=dict)
    _gathered: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))

    def write(self, data: bytes) -> bytes:
        """The client writes; what leaves."""
        begin = len(self._gathered[OUT])
        self._gathered[OUT].extend(data)
        self.composer.wrote(data, self._heard(OUT, begin, data))
        return self._decide(begin)

    def again(self) -> bytes:
        """A held write that had to wait is looked at once more."""
        return self._decide(len(self._gathered[OUT]))

    def read(self, data: bytes) -> bytes:
        """The server's bytes; what the client is given."""
        begin, held = len(self._gathered[IN]), self.composer.holds_reads
        self._gathered[IN].extend(data)
        self.composer.was_sent(data, self._heard(IN, begin, data), held)
        if not held:
            return data
        return self._carried_out(IN, self.composer.order_read(begin, begin + len(data)), data)

    def _decide(self, begin: int) -> bytes:
        for asked in self.composer.due():
            ruling = self.judge(self.requests[asked.key], asked)
            self.composer.rule(asked.key, ruling)
            if ruling is not None:
                self.reader.replaced(asked.key)
            elif self.scanners:
                self.composer.mask(asked.key, self.scanners)
        end = len(self._gathered[OUT])
        return self._carried_out(OUT, self.composer.order_write(begin, end), bytes(self._gathered[OUT][begin:]))

    def _heard(self, direction: Direction, position: int, data: bytes) -> list[Event]:
        events = self.reader.feed(direction, position, data, 1)
        self.requests |= {event.exchange: event for event in events if isinstance(event, Request)}
        return events

    def _carried_out(self, direction: Direction, order: Order, data: bytes) -> bytes:
        self.orders.append(order)
        if order.name is Name.PASS:
            return data
        return b"".join(self._made(direction, part) for part in order.parts)

    def _made(self, direction: Direction, part: Part) -> bytes:
        kept = bytes(self._gathered[direction][part.begin : part.end])
        assert len(kept) == part.end - part.begin, "a part of bytes that are not here"
        return made(part.template, kept, part.refusal or Refusal(""))


@dataclass
class Served:
    """A request as an HTTP/2 server got it."""

    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False


class Server2:
    """An HTTP/2 server as Go's: a malformed request is reset after its block was decoded, and its h2 stream stays idle.

    `credit_at`: bytes of bodies after which they are given back to the connection's window, as nghttp2 does at half of it.
    """

    def __init__(self, window: int = 65_535, credit_at: int = 1) -> None:
        self.credit_at, self._uncredited = credit_at, 0
        self.served: dict[int, Served] = {}
        self.other: list[Frame] = []
        self.decoder, self.encoder = hpack.Decoder(), hpack.Encoder()
        self.window = window
        self._frames, self._all, self._begun = Frames(24), bytearray(), bytearray()
        self._block: tuple[int, int, bytearray] | None = None
        self._waiting: list[Frame] = []

    def take(self, data: bytes) -> bytes:
        """What it answers to these bytes."""
        missing = 24 - len(self._begun)
        self._begun.extend(data[: max(0, missing)])
        self._all.extend(data)
        assert b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".startswith(bytes(self._begun))
        self._waiting += self._frames.feed(data[max(0, missing) :])
        answer = b""
        while self._waiting and self._waiting[0].end <= len(self._all):
            answer += self._frame(self._waiting.pop(0))
        return answer

    def _frame(self, each: Frame) -> bytes:
        payload = bytes(self._all[each.begin + 9 : each.end])
        if each.kind in (Kind.HEADERS, Kind.CONTINUATION):
            return self._headers(each, payload)
        assert self._block is None, "a header block is interrupted"
        if each.kind == Kind.DATA:
            served = self.served[each.number]  # KeyError: body bytes of a request that no handler has
            assert not served.whole
            served.body += payload
            self._uncredited, credit = self._uncredited + len(payload), b""
            if self._uncredited >= self.credit_at:
                credit, self._uncredited = frame(8, 0, 0, self._uncredited.to_bytes(4, "big")), 0
            more = frame(8, 0, each.number, len(payload).to_bytes(4, "big")) if payload and not each.flags & END_STREAM else b""
            return credit + more + self._ended(each.number, each.flags)
        assert each.number in (0, *self.served), "a frame of an idle h2 stream ends the connection"
        self.other.append(each)
        return frame(6, 1, 0, payload) if each.kind == Kind.PING else b""

    def _headers(self, each: Frame, payload: bytes) -> bytes:
        if each.kind == Kind.HEADERS:
            assert self._block is None
            self._block = each.number, each.flags, bytearray()
        assert self._block is not None and self._block[0] == each.number
        self._block[2].extend(payload)
        if not each.flags & END_HEADERS:
            return b""
        (number, flags, block), self._block = self._block, None
        fields = [(bytes(name), bytes(value)) for name, value in self.decoder.decode(bytes(block), raw=True)]
        if any(name != name.lower() for name, _ in fields):
            return frame(3, 0, number, (1).to_bytes(4, "big"))
        if number in self.served:
            self.served[number].trailers = fields
        else:
            self.served[number] = Served(fields)
        return self._ended(number, flags)

    def _ended(self, number: int, flags: int) -> bytes:
        if not flags & END_STREAM:
            return b""
        served = self.served[number]
        served.whole = True
        fields = [(":status", "200"), ("x-served", str(number)), ("x-length", str(len(served.body)))]
        return frame(1, END_HEADERS, number, self.encoder.encode(fields)) + frame(0, END_STREAM, number, b"served")


class Client2:
    """What an HTTP/2 client reads."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[list[tuple[str, str]], bytes]] = {}
        self.ended: set[int] = set()
        self.credit = 0  # of the connection's window
        self.resets: list[int] = []
        self._decoder, self._frames, self._all = hpack.Decoder(), Frames(), bytearray()
        self._waiting: list[Frame] = []

    def take(self, data: bytes) -> None:
        self._all.extend(data)
        self._waiting += self._frames.feed(data)
        while self._waiting and self._waiting[0].end <= len(self._all):
            self._frame(self._waiting.pop(0))

    def _frame(self, each: Frame) -> None:
        payload = bytes(self._all[each.begin + 9 : each.end])
        if each.kind == Kind.HEADERS:
            fields = [(str(name), str(value)) for name, value in self._decoder.decode(payload)]
            assert each.number not in self.answers, "answered twice"
            self.answers[each.number] = fields, b""
        elif each.kind == Kind.DATA:
            fields, body = self.answers[each.number]
            self.answers[each.number] = fields, body + payload
        elif each.kind == Kind.WINDOW_UPDATE and each.number == 0:
            self.credit += int.from_bytes(payload, "big")
        elif each.kind == Kind.RST_STREAM:
            self.resets.append(each.number)
        if each.kind in (Kind.HEADERS, Kind.DATA) and each.flags & END_STREAM:
            assert each.number not in self.ended
            self.ended.add(each.number)

    def status(self, number: int) -> str:
        return dict(self.answers[number][0])[":status"]


class _Socket(io.BytesIO):
    def makefile(self, *_: object) -> io.BytesIO:
        return self

    def close(self) -> None:  # http.client closes what it has read
        return


def http1_answers(data: bytes, methods: Sequence[str]) -> list[tuple[int, bytes]]:
    """Status and body of each answer, as http.client reads them one behind the other; nothing may be left."""
    socket, found = _Socket(data), []
    for method in methods:
        answer = http.client.HTTPResponse(socket, method=method)  # type: ignore[arg-type]
        answer.begin()
        found.append((answer.status, answer.read()))
    assert not socket.read(), "bytes behind the last answer"
    return found


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at these places modulo its length."""
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


class Server1:
    """An HTTP/1.1 server by h11: what it got, and its answers."""

    def __init__(self) -> None:
        self.served: list[tuple[str, str, bytes]] = []  # method, target, body
        self._connection = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""

    def take(self, data: bytes) -> bytes:
        """What it answers to these bytes."""
        if not data:
            return b""  # to h11 it would be the end
        self._connection.receive_data(data)
        answer = b""
        while (event := self._connection.next_event()) is not h11.NEED_DATA:
            if event is h11.PAUSED:
                break
            answer += self._event(event)
        return answer

    def _event(self, event: object) -> bytes:
        if isinstance(event, h11.Request):
            self._request, self._body = event, b""
        elif isinstance(event, h11.Data):
            self._body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return self._answer()
        return b""

    def _answer(self) -> bytes:
        assert self._request is not None
        method, target = self._request.method.decode(), self._request.target.decode()
        self.served.append((method, target, self._body))
        body = f"served {target}".encode()
        answer = self._connection.send(h11.Response(status_code=200, headers=[("Content-Length", str(len(body)))])) or b""
        if method != "HEAD":
            answer += self._connection.send(h11.Data(body)) or b""
        answer += self._connection.send(h11.EndOfMessage()) or b""
        self._connection.start_next_cycle()
        return answer
