"""Secrets that leave: values that a session knows, looked for in what its programs send on. It looks, and keeps nothing.

Looked at are URLs, headers, bodies and channels of API requests, and, where the policy says so, what other connections carry.
Flows are searched as they come: raw, base64, hex, URLs and JSON (`forms`), also broken into lines, and inside gzip; a value may be
split over writes. A Secret that is written back as a Secret has not left, nor has a token that is used as a credential.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from chaperone.collector.kube.call import Call
from chaperone.collector.mask.body import SECRET_KINDS, holds_secrets
from chaperone.collector.mask.forms import LONGEST
from chaperone.collector.mask.text import Texts
from chaperone.collector.wire.events import Data, Header, Message, StrandData
from chaperone.collector.wire.exchange import Exchange, Phase
from chaperone.proto.records import Direction

MOST_FLOWS = 1024  # of one stream; past that the oldest is begun anew
MOST_INFLATED = 64 << 20  # bytes out of the gzip of one flow
_STEP = 1 << 20
_GZIP = b"\x1f\x8b\x08"
_CREDENTIALS = frozenset(("authorization", "proxy-authorization", "cookie", "sec-websocket-protocol"))
_FLOWING = (Data, Message, StrandData)

Values = set[bytes]


@dataclass(frozen=True, slots=True)
class Left:
    """A secret was sent on. `secret`: `namespace/name:key`; `call`, `time`: where and when it was read; `place`: where it was seen."""

    secret: str
    fingerprint: str
    call: str
    time: int
    place: str
    sent: int  # when, boot-time ns
    at: int  # the OUT position of the request or connection in which it left
    host: str


class Flow:
    """One direction of one channel, body or connection."""

    __slots__ = ("_inflated", "_inflater", "_inner", "_tail", "_texts")

    def __init__(self, texts: Texts, is_inner: bool = False) -> None:
        self._texts = texts
        self._tail = b""
        self._inner: Flow | None = None if is_inner else Flow(texts, is_inner=True)
        self._inflater: zlib._Decompress | None = None
        self._inflated = 0

    def feed(self, data: bytes) -> Values:
        """The known values that these bytes complete, and some that were seen before."""
        text = self._tail + data
        found = self._values(text)
        if self._inner:
            found |= self._unzip(text, len(self._tail), self._inner)
        self._tail = text[-2 * LONGEST :]
        return found

    def _values(self, text: bytes) -> Values:
        found = {hit.value for hit in self._texts.known.hits(text)}
        if b"\n" in text:  # base64 and the like come in lines
            found |= {hit.value for hit in self._texts.known.hits(text.translate(None, b"\r\n"))}
        return found

    def _unzip(self, text: bytes, new: int, inner: "Flow") -> Values:
        if self._inflater is not None:
            return self._inflate(text[new:], inner)
        found: Values = set()
        start = text.find(_GZIP, max(0, new - len(_GZIP) + 1))
        while start >= 0 and self._inflater is None:
            self._inflater = zlib.decompressobj(31)
            found |= self._inflate(text[start:], inner)
            start = text.find(_GZIP, start + 1)
        return found

    def _inflate(self, data: bytes, inner: "Flow") -> Values:
        found: Values = set()
        inflater = self._inflater
        while inflater is not None and data and self._inflated < MOST_INFLATED:
            try:
                out = inflater.decompress(data, _STEP)
            except zlib.error:  # it only looked like gzip, or is damaged
                self._inflater = None
                break
            self._inflated += len(out)
            found |= inner.feed(out)
            data = inflater.unconsumed_tail
            if inflater.eof:
                self._inflater = None
                return found | self._unzip(inflater.unused_data, 0, inner)
        return found


class Taint:
    """Of one stream, under the key that masks it."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._flows: dict[tuple[int, str], tuple[Flow, Values]] = {}

    def call(self, call: Call) -> list[Left]:
        """What this report of a call sends on."""
        if not self._texts.known:
            return []
        found = list(self._request(call)) if call.requested is not None else []
        for piece in call.pieces:
            if piece.direction == "out":
                found += self._left(call.position, piece.channel, bytes(piece.body.data), piece.time, call.authority)
        if call.phase is Phase.END:
            self._over(call.position)
        return found

    def passing(self, exchange: Exchange) -> list[Left]:
        """What this report of an exchange with somebody else sends on."""
        if not self._texts.known:
            return []
        request, found = exchange.request, list[Left]()
        host = (request.authority if request else None) or ""
        if request is not None and self._is_new(exchange.position, "url"):
            found += self._target(exchange.position, request.target or "", request.time, host)
            found += self._fields(exchange.position, request.headers, request.time, host, frozenset())
        for event in exchange.news:
            if isinstance(event, _FLOWING) and event.direction is Direction.OUT:
                found += self._left(exchange.position, "body", bytes(event.data), event.time, host)
        if exchange.phase is Phase.END:
            self._over(exchange.position)
        return found

    def opaque(self, data: bytes, time: int) -> list[Left]:
        """What bytes send on that no reader understands."""
        return self._left(0, "connection", data, time, "") if self._texts.known else []

    def _request(self, call: Call) -> Iterator[Left]:
        if not self._is_new(call.position, "url"):
            return
        time = call.requested or call.started
        yield from self._target(call.position, call.request_uri, time, call.authority)
        yield from self._fields(call.position, call.request_headers, time, call.authority, _CREDENTIALS)
        body = call.request_body
        if body is not None and not holds_secrets(call.info) and body.kind not in SECRET_KINDS:
            yield from self._left(call.position, "body", bytes(body.data), time, call.authority)

    def _target(self, position: int, target: str, time: int, host: str) -> list[Left]:
        raw = target.encode("utf-8", "surrogatepass")
        decoded = unquote_to_bytes(raw)
        return self._left(position, "url", b"\0".join((raw, decoded, decoded.replace(b"+", b" "))), time, host)

    def _fields(self, position: int, fields: tuple[Header, ...], time: int, host: str, but: frozenset[str]) -> Iterator[Left]:
        for name, value in fields:
            if value and (name or "").lower() not in but and not (name or "").startswith(":"):
                yield from self._left(position, f"header {name}", value.encode("utf-8", "surrogatepass"), time, host)

    def _is_new(self, position: int, place: str) -> bool:
        return (position, place) not in self._flows

    def _left(self, position: int, place: str, data: bytes, time: int, host: str) -> list[Left]:
        if (position, place) not in self._flows and len(self._flows) >= MOST_FLOWS:
            self._flows.pop(next(iter(self._flows)))
        flow, told = self._flows.setdefault((position, place), (Flow(self._texts), set()))
        new = flow.feed(data) - told
        told |= new
        known = self._texts.known
        return [self._of(value, place, time, position, host) for value in sorted(new) if known.origin(value).time <= time]

    def _of(self, value: bytes, place: str, time: int, position: int, host: str) -> Left:
        origin = self._texts.known.origin(value)
        fingerprint = self._texts.stand_in(value).decode("latin-1")
        return Left(origin.secret, fingerprint, origin.call, origin.time, place, time, position, host)

    def _over(self, position: int) -> None:
        for key in [key for key in self._flows if key[0] == position]:
            del self._flows[key]
