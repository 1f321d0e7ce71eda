"""WebSocket frames of both directions (RFC 6455) to messages, masked or not. Answers nothing, knows no channels.

Extensions are refused: no Kubernetes server agrees to one (RSV bits 0). A message is passed on whole up to PART_LIMIT
(gather.py), above it in parts of that size. Control frames may come between fragments; only a close is said.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Self

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.events import Closed, Event, Message
from chaperone.collector.wire.framed import Framed, Parsing, State
from chaperone.collector.wire.gather import PART_LIMIT, Parts
from chaperone.proto.records import Direction

FRAME_LIMIT = 2**31 - 1  # bytes of one frame's payload; the largest client writes (a whole file to stdin) are below
CONTROL_LIMIT = 125  # RFC 6455 §5.5
NO_STATUS = 1005  # RFC 6455 §7.1.5: a close frame without a code

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA  # §11.8
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F  # §5.2
_CHANNELS = frozenset((0, 1, 2, 3, 4, 128, 255, *b"01234"))  # first payload byte: binary, base64, a SPDY head


@dataclass(frozen=True, slots=True)
class Head:
    """A frame's head (RFC 6455 §5.2). `key` is empty when the payload is not masked."""

    opcode: int
    final: bool
    size: int
    key: bytes


class WebSocketReader:
    """Both directions behind a 101 that agreed on `websocket`."""

    def __init__(self, exchange: int, positions: tuple[int, int]) -> None:
        """`positions`: of the first byte behind the heads, out and in."""
        self.exchange = exchange
        self._sides = tuple(_Side(exchange, direction, positions[direction]) for direction in Direction)

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        return self._sides[direction].framed.feed(position, data, time)

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes are missing."""
        return self._sides[direction].framed.lose(size, time, cause)

    def close(self, time: int) -> list[Event]:
        """The stream is over: unfinished messages are passed on as they are, both directions end."""
        return [event for side in self._sides for event in side.framed.close(time)]

    @property
    def told(self) -> int:
        """Position up to which all that the client sent is in an event, or in a control frame that is whole."""
        return self._sides[Direction.OUT].told

    def mark(self) -> dict[str, Any] | None:
        """State between two messages of each direction."""
        if not all(side.is_between() for side in self._sides):
            return None
        return {"exchange": self.exchange, "sides": [side.saved() for side in self._sides]}

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """A reader that goes on from `mark`."""
        out, back = mark["sides"]
        reader = cls(mark["exchange"], (out["position"], back["position"]))
        for side, saved in zip(reader._sides, mark["sides"], strict=True):
            side.go_on(saved)
        return reader


_HINTS = (  # a whole message or a control frame: masked from the client, not from the server (§5.1)
    re.compile(rb"[\x81\x82\x88-\x8a](?:[\x80-\xff]|\Z)"),
    re.compile(rb"[\x81\x82\x88-\x8a](?:[\x00-\x7f]|\Z)"),
)


class _Side:
    """The frames of one direction."""

    evidence = "two WebSocket frames in a row, the first byte of each message a channel's"

    def __init__(self, exchange: int, direction: Direction, position: int) -> None:
        self.hint = _HINTS[direction]
        self.closed = False
        self.message: _Message | None = None
        self.framed = Framed(exchange, direction, position)
        self.framed.start(self)

    @property
    def told(self) -> int:
        return self.message.untold if self.message else self.framed.begun

    def is_between(self) -> bool:
        return self.framed.between and self.message is None

    def saved(self) -> dict[str, Any]:
        framed = self.framed
        state = {"state": str(framed.state), "torn": framed.torn, "closed": self.closed}
        return {"position": framed.buffer.position, "unsaid": framed.unsaid, **state}

    def go_on(self, saved: dict[str, Any]) -> None:
        self.closed, self.framed.torn = saved["closed"], saved["torn"]
        self.framed.owe(saved["unsaid"])
        self.framed.start(self, State(saved["state"]))

    def frame(self) -> Parsing:
        position = self.framed.buffer.position
        head = yield from self._head()
        if head.opcode >= _CLOSE:
            yield from self._control(head, position)
        else:
            yield from self._data(head, position)

    def forget(self) -> bool:
        message, self.message = self.message, None
        if message:
            message.flush(final=False)
        return message is not None

    def plausible(self, held: bytearray, at: int) -> int | None:
        """A whole message or control frame with the shortest form of its length, masked as the direction demands."""
        if len(held) < at + 2:
            return None
        return _plausible(held, at) if self.hint.match(held, at) else 0

    def _head(self) -> Generator[None, None, Head]:
        if self.closed:
            yield from self.framed.buffer.exactly(1)
            raise Malformed("bytes behind a close frame")
        first, second = yield from self.framed.buffer.exactly(2)
        opcode, final = first & _OPCODE, first & _FIN != 0
        self._check(first, opcode)
        size = yield from self._size(second & _LENGTH)
        if opcode >= _CLOSE and not (final and size <= CONTROL_LIMIT):
            raise Malformed(f"a control frame in fragments or above {CONTROL_LIMIT} bytes")
        key = (yield from self.framed.buffer.exactly(4)) if second & _MASKED else b""
        return Head(opcode, final, size, key)

    def _check(self, first: int, opcode: int) -> None:
        if first & _RESERVED:
            raise Malformed("a reserved bit is set, for an extension that nobody agreed on")
        if opcode not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise Malformed(f"opcode {opcode} is reserved")
        if opcode in (_TEXT, _BINARY) and self.message:
            raise Malformed("a message begins inside another")
        if opcode == _CONTINUATION and not self.message and not self.framed.torn:
            raise Malformed("a fragment without a message")

    def _size(self, short: int) -> Generator[None, None, int]:
        if short < 126:
            return short
        size = int.from_bytes((yield from self.framed.buffer.exactly(2 if short == 126 else 8)), "big")
        if size > FRAME_LIMIT:
            raise Malformed(f"a frame of {size} bytes, above {FRAME_LIMIT}")
        return size

    def _control(self, head: Head, position: int) -> Parsing:
        try:
            body = unmask((yield from self.framed.buffer.exactly(head.size)), head.key)
        except Hole as hole:
            yield from self.framed.bridge(hole, head.size)
            body = b""
        if head.opcode == _CLOSE:
            self.closed = True
            self.framed.say(self._close(body, position))

    def _close(self, body: bytes, position: int) -> Closed:
        code = int.from_bytes(body[:2], "big") if len(body) >= 2 else NO_STATUS
        reason = body[2:].decode("utf-8", "replace")
        framed = self.framed
        return Closed(framed.exchange, framed.direction, position, framed.time, code, reason, framed.account())

    def _data(self, head: Head, position: int) -> Parsing:
        if head.final and not self.message and head.opcode and head.size <= min(len(self.framed.buffer.held), PART_LIMIT - 1):
            self._whole(head, position)
            return
        if not self.message:
            self.message = _Message(self.framed, position, head.opcode == _TEXT, torn=head.opcode == _CONTINUATION)
        self.message.begin(head.key)
        yield from self.framed.payload(head.size, self.message)
        if head.final:
            self.message.flush(final=True)
            self.message = None

    def _whole(self, head: Head, position: int) -> None:
        """The usual: one frame, all here."""
        framed, data = self.framed, unmask(self.framed.buffer.take(head.size), head.key)
        where = (framed.exchange, framed.direction, position, framed.time)
        framed.say(Message(*where, head.opcode == _TEXT, data, size=framed.account()))


class _Message:
    """A sink that takes each frame's masking off. `torn`: its beginning was never seen."""

    def __init__(self, framed: Framed, position: int, text: bool, torn: bool) -> None:
        self._framed, self._text, self._torn = framed, text, torn
        self._frames = int(torn)
        self._key, self._at = b"", 0  # the current frame's, and how far into its payload we are
        self._parts = Parts(framed.buffer, position, self._say)
        self.room, self.flush = self._parts.room, self._parts.flush

    @property
    def untold(self) -> int:
        """Position where what no event has brought begins."""
        return self._parts.position

    def begin(self, key: bytes) -> None:
        self._key, self._at = key, 0
        self._frames += 1

    def take(self, data: bytes) -> None:
        self._parts.take(unmask(data, self._key, self._at))
        self._at += len(data)

    def skip(self, size: int) -> None:
        self._parts.skip(size)
        self._at += size

    def _say(self, position: int, data: bytes, offset: int, final: bool) -> None:
        framed = self._framed
        event = (framed.exchange, framed.direction, position, framed.time)
        framed.say(Message(*event, self._text, data, -1 if self._torn else offset, final, framed.account(), self._frames > 1))


def unmask(data: bytes, key: bytes, at: int = 0) -> bytes:
    """RFC 6455 §5.3: `data` from `at` bytes into a payload, its masking taken off. One big XOR, no loop."""
    if not key:
        return data
    turned = key[at % 4 :] + key[: at % 4]
    mask = (turned * (len(data) // 4 + 1))[: len(data)]
    clear = int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")
    return clear.to_bytes(len(data), "little")


def _plausible(held: bytearray, at: int) -> int | None:
    """As `_Side.plausible`, for a first byte and a mask bit that fit."""
    first, short = held[at], held[at + 1] & _LENGTH
    wide = {126: 2, 127: 8}.get(short, 0)
    key_at = at + 2 + wide
    payload_at = key_at + (4 if held[at + 1] & _MASKED else 0)
    if len(held) < payload_at + (first & _OPCODE < _CLOSE):
        return None
    size = int.from_bytes(held[at + 2 : key_at], "big") if wide else short
    if (first & _OPCODE >= _CLOSE and size > CONTROL_LIMIT) or size > PART_LIMIT or (wide and size < (126 if wide == 2 else 65536)):
        return 0
    channel = unmask(bytes(held[payload_at : payload_at + 1]), bytes(held[key_at:payload_at]))
    return payload_at + size if first & _OPCODE >= _CLOSE or (size and channel[0] in _CHANNELS) else 0
