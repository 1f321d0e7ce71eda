"""What a client of HTTP/2 writes: requests with bodies, trailers and CONTINUATIONs, their frames mixed, as bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hpack
from hypothesis import strategies as st

from chaperone.collector.wire.http2 import PREFACE
from chaperone.proto.refusals import frame

END_STREAM, END_HEADERS = 1, 4
OPENING = PREFACE + frame(4, 0, 0, b"") + frame(8, 0, 0, (1 << 20).to_bytes(4, "big"))
NOISE = frame(6, 0, 0, b"12345678") + frame(8, 0, 0, b"\0\0\1\0")


@dataclass(frozen=True)
class Asks:
    """One request. `bodies`: sizes of its DATA frames; `pieces`: frames of its header block; `trailers`: has some."""

    refused: bool
    bodies: tuple[int, ...] = ()
    pieces: int = 1
    trailers: bool = False

    def body(self, number: int) -> bytes:
        return b"".join(bytes([number % 251]) * size for size in self.bodies)


BODIES = st.lists(st.integers(0, 90), max_size=3).map(tuple)
ASKS: st.SearchStrategy[Asks] = st.builds(Asks, st.booleans(), BODIES, st.integers(1, 3), st.booleans())


def conversation(script: Sequence[Asks], order: Sequence[int]) -> bytes:
    """Of requests on h2 streams 1, 3, 5 …; `order` says whose frame is next, a new stream when it points beyond those begun."""
    encoder, sent = hpack.Encoder(), bytearray(OPENING)
    waiting = [_frames(encoder, 2 * at + 1, one) for at, one in enumerate(script)]
    begun: list[Iterator[bytes]] = []
    for choice in [*order, *range(100 * len(script))]:
        at = choice % (len(begun) + bool(waiting)) if begun or waiting else -1
        if at < 0:
            break
        if at == len(begun):
            begun.append(waiting.pop(0))
        if (each := next(begun[at], None)) is None:
            del begun[at]
        sent += (each or b"") + (b"" if choice % 3 else NOISE)
    assert not begun and not waiting
    return bytes(sent)


def _frames(encoder: hpack.Encoder, number: int, one: Asks) -> Iterator[bytes]:
    """A block is encoded as it is sent: the order of the blocks is that of the table."""
    fields = [(":method", "POST"), (":scheme", "https"), (":path", f"/api/v1/x{number}"), (":authority", "k"), ("x-number", str(number))]
    yield block(encoder.encode(fields), number, one.pieces, ends=not one.bodies and not one.trailers)
    for at, size in enumerate(one.bodies):
        is_last = at + 1 == len(one.bodies) and not one.trailers
        yield frame(0, END_STREAM if is_last else 0, number, bytes([number % 251]) * size)
    if one.trailers:
        yield block(encoder.encode([("x-trailer", f"value-{number}")]), number, 1, ends=True)


def block(data: bytes, number: int, pieces: int, ends: bool) -> bytes:
    """A header block as HEADERS and CONTINUATIONs."""
    size = max(1, len(data) // pieces)
    parts = [data[at * size : None if at + 1 == pieces else (at + 1) * size] for at in range(pieces)]
    flags = [(END_STREAM if ends and at == 0 else 0) | (END_HEADERS if at + 1 == pieces else 0) for at in range(pieces)]
    return b"".join(frame(9 if at else 1, flag, number, part) for at, (flag, part) in enumerate(zip(flags, parts, strict=True)))


@dataclass(frozen=True)
class Asks1:
    """One request of HTTP/1.1. `body` None: it has none; `chunks`: sizes of its chunks, none: by Content-Length."""

    refused: bool
    method: str = "GET"
    body: bytes | None = None
    chunks: tuple[int, ...] = ()

    def sent(self, number: int) -> bytes:
        head = f"{self.method} /api/v1/x{number} HTTP/1.1\r\nHost: k\r\nX-Number: {number}\r\n"
        if self.body is None:
            return f"{head}\r\n".encode()
        if not self.chunks:
            return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + self._chunked()

    def _chunked(self) -> bytes:
        data, found = self.body or b"", b""
        for size in (*self.chunks, len(data)):
            part, data = data[:size], data[size:]
            found += b"%x\r\n%s\r\n" % (len(part), part) if part else b""
        return found + b"0\r\n\r\n"


ASKS1: st.SearchStrategy[Asks1] = st.builds(
    Asks1,
    st.booleans(),
    st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    st.none() | st.binary(max_size=200),
    st.lists(st.integers(1, 60), max_size=3).map(tuple),
)
