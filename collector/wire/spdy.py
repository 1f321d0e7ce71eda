"""SPDY/3.1 frames of both directions to strands: how kubectl carried exec and port-forward before WebSocket.

Sources: the SPDY/3.1 draft §2; moby/spdystream spdy/types.go and spdy/read.go, which is what both ends use. Flow control,
pings and settings say nothing to a listener. Header blocks are one zlib stream a direction: after a hole strands open
without headers, and nothing is guessed.
"""

import re
import zlib
from collections.abc import Generator
from typing import Any

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.events import Ambiguous, Closed, Event, Header, StrandData, StrandOpened, StrandReset
from chaperone.collector.wire.framed import Framed, Parsing
from chaperone.collector.wire.gather import PART_LIMIT, Nothing, Parts
from chaperone.proto.records import Direction

BLOCK_LIMIT = 64 * 1024  # bytes of a deflated header block; kubectl's have 30
HEADERS_LIMIT = 256 * 1024  # bytes of an inflated one
STRAND_LIMIT = 4096  # strands remembered per exchange, to recognise frames behind a hole
REOPENED = "a strand is opened twice, or below one that was opened before"  # spdystream refuses it and keeps the first

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _GOAWAY, _HEADERS, _LAST_TYPE = 1, 2, 3, 7, 8, 9
_CONTROL, _VERSION, _FIN = 0x80, b"\x80\x03", 0x01
_HEAD_SIZE = 8
_BEFORE_BLOCK = {_SYN_STREAM: 10, _SYN_REPLY: 4, _HEADERS: 4}  # bytes of the body before the header block
_EXACT = {_RST_STREAM: 8, _GOAWAY: 8, 6: 4, 9: 8}  # bodies of one size

_WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow
authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5
content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer
transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public
set-cookie keep-alive origin"""
_PHRASES = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal "
    "Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)


def dictionary() -> bytes:
    """What both ends' zlib starts from (SPDY/3 draft §2.6.10.1): words with their length, then phrases without."""
    words = [word.replace("_", " ").encode() for word in _WORDS.split()]
    return b"".join(len(word).to_bytes(4, "big") + word for word in words) + _PHRASES.encode()


DICTIONARY = dictionary()


class SpdyReader:
    """Both directions behind a 101 that agreed on `SPDY/3.1`."""

    def __init__(self, exchange: int, positions: tuple[int, int]) -> None:
        """`positions`: of the first byte behind the heads, out and in."""
        strands: set[int] = set()
        self._sides = tuple(_Side(Framed(exchange, direction, positions[direction]), strands) for direction in Direction)

    def feed(self, direction: Direction, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on."""
        return self._sides[direction].framed.feed(position, data, time)

    def lose(self, direction: Direction, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes are missing."""
        return self._sides[direction].framed.lose(size, time, cause)

    def tear(self, direction: Direction, time: int) -> list[Event]:
        """An unknown number of bytes is missing; whoever carries them has said so."""
        return self._sides[direction].framed.tear(time)

    def close(self, time: int) -> list[Event]:
        """The stream is over: both directions end."""
        return [event for side in self._sides for event in side.framed.close(time)]

    @property
    def told(self) -> int:
        """Position up to which all that the client sent is in an event, or in a frame that is whole."""
        return self._sides[Direction.OUT].told

    def mark(self) -> dict[str, Any] | None:
        """None: an inflater cannot be saved."""
        return None


class _Side:
    """The frames of one direction."""

    hint = re.compile(rb"\x80(?:\x03|\Z)|\x00\x00.[^\x00]|\x00.{0,2}\Z", re.DOTALL)
    evidence = "two SPDY frames in a row: version 3 and a known type, or a strand that is open"

    def __init__(self, framed: Framed, strands: set[int]) -> None:
        self.framed = framed
        self._strands = strands
        self._blocks: _Blocks | None = _Blocks()
        self._data: Parts | None = None
        self._newest = 0
        framed.start(self)

    @property
    def told(self) -> int:
        return self._data.position if self._data else self.framed.begun

    def frame(self) -> Parsing:
        position = self.framed.buffer.position
        head = yield from self.framed.buffer.exactly(_HEAD_SIZE)
        if head[0] & _CONTROL:
            yield from self._control(head, position)
        else:
            yield from self._payload(head, position)

    def forget(self) -> bool:
        self._blocks = None
        data, self._data = self._data, None
        if data:
            data.flush(final=False)
        return data is not None

    def plausible(self, held: bytearray, at: int) -> int | None:
        """A control frame of a size that its type allows, or data of a strand that is open."""
        if len(held) < at + _HEAD_SIZE:
            return None
        size = int.from_bytes(held[at + 5 : at + _HEAD_SIZE], "big")
        fits = _is_control(held, at, size) if held[at] & _CONTROL else self._is_data(held, at, size)
        return at + _HEAD_SIZE + size if fits else 0

    def _is_data(self, held: bytearray, at: int, size: int) -> bool:
        return int.from_bytes(held[at : at + 4], "big") in self._strands and held[at + 4] <= _FIN and size <= PART_LIMIT

    def _payload(self, head: bytes, position: int) -> Parsing:
        strand = self._strand(head)
        end = head[4] & _FIN != 0
        self._data = Parts(self.framed.buffer, position, lambda at, data, _, final: self._say_data(at, strand, data, end and final))
        yield from self.framed.payload(int.from_bytes(head[5:], "big"), self._data)
        self._data.flush(final=True)
        self._data = None

    def _say_data(self, position: int, strand: int, data: bytes, end: bool) -> None:
        framed = self.framed
        framed.say(StrandData(framed.exchange, framed.direction, position, framed.time, strand, data, end, framed.account()))

    def _control(self, head: bytes, position: int) -> Parsing:
        if head[:2] != _VERSION:
            raise Malformed("a control frame of another SPDY version")
        kind, size = int.from_bytes(head[2:4], "big"), int.from_bytes(head[5:], "big")
        if size != _EXACT.get(kind, size) or size < _BEFORE_BLOCK.get(kind, 0):
            raise Malformed(f"a frame of type {kind} with {size} bytes")
        if kind in (_RST_STREAM, _GOAWAY):
            self._ending(kind, position, (yield from self._body(size)))
        elif kind in _BEFORE_BLOCK:
            yield from self._opening(head, kind, position)
        else:
            yield from self.framed.payload(size, Nothing())

    def _body(self, size: int) -> Generator[None, None, bytes]:
        """A control frame's body; what came of it before a hole."""
        if size > BLOCK_LIMIT:
            raise Malformed(f"a control frame of {size} bytes, above {BLOCK_LIMIT}")
        try:
            return (yield from self.framed.buffer.exactly(size))
        except Hole as hole:
            body = bytes(self.framed.buffer.held)
            yield from self.framed.bridge(hole, size)
            return body

    def _ending(self, kind: int, position: int, body: bytes) -> None:
        framed = self.framed
        if len(body) < _EXACT[kind]:
            return
        strand, code = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:], "big")
        event = (framed.exchange, framed.direction, position, framed.time)
        size = framed.account()
        framed.say(StrandReset(*event, strand, code, size) if kind == _RST_STREAM else Closed(*event, code, "", size))

    def _opening(self, head: bytes, kind: int, position: int) -> Parsing:
        size = int.from_bytes(head[5:], "big")
        body = yield from self._body(size)
        if len(body) < size:
            self._blocks = None
        headers = self._blocks.read(body[_BEFORE_BLOCK[kind] :]) if self._blocks else ()
        if len(body) < 4:
            return
        strand = self._strand(body)
        if kind == _SYN_STREAM:
            self._open(position, strand, headers)
        if head[4] & _FIN:
            self._say_data(position, strand, b"", end=True)

    def _open(self, position: int, strand: int, headers: tuple[Header, ...]) -> None:
        event = (self.framed.exchange, self.framed.direction, position, self.framed.time)
        self.framed.say(StrandOpened(*event, strand, headers, self.framed.account()))
        if strand <= self._newest:
            self.framed.say(Ambiguous(*event, REOPENED))
        self._newest = max(self._newest, strand)

    def _strand(self, field: bytes) -> int:
        strand = int.from_bytes(field[:4], "big") & 0x7FFFFFFF
        if not strand:
            raise Malformed("a frame of strand 0")
        if len(self._strands) < STRAND_LIMIT:
            self._strands.add(strand)
        return strand


class _Blocks:
    """Header blocks of one direction, in order: one zlib stream."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> tuple[Header, ...]:
        """The headers of the next block. Malformed when it is none or above HEADERS_LIMIT."""
        try:
            plain = self._inflater.decompress(block, HEADERS_LIMIT + 1)
        except zlib.error as error:
            raise Malformed("a header block that cannot be inflated") from error
        if len(plain) > HEADERS_LIMIT:
            raise Malformed(f"a header block above {HEADERS_LIMIT} bytes")
        return tuple(_headers(plain))


def _headers(plain: bytes) -> Generator[Header, None, None]:
    """Number of pairs, then each with a length before name and value. Several values lie between NULs."""
    pairs, at = _number(plain, 0), 4
    for _ in range(pairs):
        name, at = _string(plain, at)
        value, at = _string(plain, at)
        yield from ((name.lower(), each) for each in value.split("\0"))


def _string(plain: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _number(plain, at)
    if end > len(plain):
        raise Malformed("a header block shorter than it says")
    return plain[at + 4 : end].decode("latin-1"), end


def _number(plain: bytes, at: int) -> int:
    if at + 4 > len(plain):
        raise Malformed("a header block shorter than it says")
    return int.from_bytes(plain[at : at + 4], "big")


def _is_control(held: bytearray, at: int, size: int) -> bool:
    kind = int.from_bytes(held[at + 2 : at + 4], "big")
    known = held[at : at + 2] == _VERSION and 1 <= kind <= _LAST_TYPE and held[at + 4] <= 3
    return known and _EXACT.get(kind, size) == size and _BEFORE_BLOCK.get(kind, 0) <= size <= BLOCK_LIMIT
