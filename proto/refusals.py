"""What leaves, and what is delivered, in place of a refused request, or of a secret: pure functions of both sides.

The agent makes these bytes itself from a template's name and a few checked values, so that no collector can have it write
what it likes; the collector makes the same ones to read on as the client does. RFC 9112 and RFC 9113; why each is safe for
both ends' state is in the spikes' notes: the header block is decoded whole, then refused as malformed (RFC 9113 §8.1.1).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

ID = re.compile(r"[0-9A-Za-z-]{1,64}")
CLOSES = re.compile(rb"(?im)^connection:[^\r\n]*\bclose\b|\A[^\r\n]* HTTP/1\.0\r$|\AHTTP/1\.0 ")
MESSAGE_LIMIT = 1024
HEADERS, CONTINUATION, DATA, WINDOW_UPDATE, PING = 1, 9, 0, 8, 6
END_HEADERS, END_STREAM = 4, 1
HEAD = 9
NUMBER_LIMIT = 1 << 31  # of h2 streams and of a window's increment (RFC 9113 §5.1.1, §6.9)
GROUP = b"Kioq"  # base64 of three stars
TOKENS = re.compile(rb"[\x20-\x7e]+")
GZIP_PACKED, NONE_PACKED = bytes.fromhex("9bd9ab"), bytes.fromhex("a8f517")
TOKEN = b"chaperon"  # of our pings: a server says it again (RFC 9113 §6.7)
POISON = b"\x00\x01X\x01x"  # literal without indexing, "X: x": an upper-case name is malformed (§8.2.1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a template needs to know."""

    id: str
    message: str = ""
    h2_stream: int = 0
    credit: int = 0
    bodiless: bool = False


def made(template: str, kept: bytes, refusal: Refusal) -> bytes:
    """The bytes of one part of an order. ValueError for what no template makes."""
    if not template:
        return kept
    if template not in TEMPLATES or not ID.fullmatch(refusal.id) or len(refusal.message) > MESSAGE_LIMIT:
        raise ValueError("not one of the refusals that are made here")
    return TEMPLATES[template](kept, refusal)


def status(message: str) -> bytes:
    """A Kubernetes Status, as the apiserver answers a forbidden request."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return json.dumps(body | {"reason": "Forbidden", "code": 403}).encode()


def http1_harmless(kept: bytes, refusal: Refusal) -> bytes:
    """In the request's place: one that changes nothing, and says what it is. It ends the connection if the request would have."""
    line = "GET /healthz HTTP/1.1\r\nHost: chaperone\r\n"
    return f"{line}User-Agent: chaperone-refusal/{refusal.id}\r\n{_ending(kept)}\r\n".encode()


def http1_forbidden(kept: bytes, refusal: Refusal) -> bytes:
    """In its answer's place."""
    body = status(refusal.message)
    line = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
    head = f"{line}Content-Length: {len(body)}\r\n{_ending(kept)}\r\n".encode()
    return head if refusal.bodiless else head + body


def _ending(kept: bytes) -> str:
    """RFC 9112 §9.3: a client that asked for the end may read until then."""
    return "Connection: close\r\n" if CLOSES.search(kept.partition(b"\r\n\r\n")[0] + b"\r\n") else ""


def http2_malformed(kept: bytes, _refusal: Refusal) -> bytes:
    """The request's own header block, and behind it, in one more frame, a field that no server accepts."""
    last = _last_frame(kept)
    kind, flags, number = kept[last + 3], kept[last + 4], kept[last + 5 : last + HEAD]
    if kept[3] != HEADERS or kind not in (HEADERS, CONTINUATION) or not flags & END_HEADERS:
        raise ValueError("not one whole header block")
    opened = kept[: last + 4] + bytes([flags & ~END_HEADERS]) + kept[last + 5 :]
    return opened + frame(CONTINUATION, END_HEADERS, int.from_bytes(number, "big"), POISON)


def http2_forbidden(_kept: bytes, refusal: Refusal) -> bytes:
    """In the place of the server's RST_STREAM. Literals without indexing: the client's table stays as it is."""
    if not refusal.h2_stream & 1 or refusal.h2_stream >= NUMBER_LIMIT or refusal.credit >= NUMBER_LIMIT:
        raise ValueError("not an h2 stream of a client, or more credit than a window has")
    body = status(refusal.message)
    size = str(len(body)).encode()
    block = b"\x08\x03403\x0f\x10\x10application/json\x0f\x0d" + bytes([len(size)]) + size
    credit = http2_credit(b"", refusal) if refusal.credit else b""
    if refusal.bodiless:
        return frame(HEADERS, END_HEADERS | END_STREAM, refusal.h2_stream, block) + credit
    return frame(HEADERS, END_HEADERS, refusal.h2_stream, block) + frame(DATA, END_STREAM, refusal.h2_stream, body) + credit


def http2_ping(_kept: bytes, _refusal: Refusal) -> bytes:
    """Something that a server answers, where dropped DATA may have left nothing that it would say anything to."""
    return frame(PING, 0, 0, TOKEN)


def http2_credit(_kept: bytes, refusal: Refusal) -> bytes:
    """In that answer's place: what the client sent in vain is given back to it."""
    if not 0 < refusal.credit < NUMBER_LIMIT:
        raise ValueError("no credit, or more than a window has")
    return frame(WINDOW_UPDATE, 0, 0, refusal.credit.to_bytes(4, "big"))


def stars(kept: bytes, _refusal: Refusal) -> bytes:
    """In a secret's place."""
    return b"*" * len(kept)


def stars64(phase: int) -> Callable[[bytes, Refusal], bytes]:
    """In the place of a part of a secret's base64, whose first character is so far from the beginning of a group of four: base64 of `*`."""

    def template(kept: bytes, _refusal: Refusal) -> bytes:
        size = len(kept.rstrip(b"="))
        return (GROUP * (size // 4 + 2))[phase : phase + size] + b"=" * (len(kept) - size)

    return template


def last_of_one(_kept: bytes, _refusal: Refusal) -> bytes:
    """The second character of a last group that stands for one byte (RFC 4648 §4): what it has too many are zeros."""
    return b"g"


def uncompressed(kept: bytes, _refusal: Refusal) -> bytes:
    """In the place of the codings that a client takes: one that no server has. As long, also when it is packed (RFC 7541 Appendix B)."""
    if kept == GZIP_PACKED:
        return NONE_PACKED
    if not TOKENS.fullmatch(kept):
        raise ValueError("not a list of content codings")
    return b"none".ljust(len(kept), b"e")[: len(kept)]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _last_frame(frames: bytes) -> int:
    """Where the last of whole frames begins."""
    at = last = 0
    while at < len(frames):
        last, at = at, at + HEAD + int.from_bytes(frames[at : at + 3], "big")
    if at != len(frames) or at < HEAD:
        raise ValueError("not whole frames")
    return last


TEMPLATES: dict[str, Callable[[bytes, Refusal], bytes]] = {
    "http1-harmless": http1_harmless,
    "http1-forbidden": http1_forbidden,
    "http2-malformed": http2_malformed,
    "http2-forbidden": http2_forbidden,
    "http2-ping": http2_ping,
    "http2-credit": http2_credit,
    "stars": stars,
    **{f"stars64-{phase}": stars64(phase) for phase in range(4)},
    "stars64-g": last_of_one,
    "uncompressed": uncompressed,
}
