"""HTTP/1.1 heads: bytes up to the empty line → start line, fields, and how the body is framed. Pure functions.

Where the apiserver's reader (Go net/http, net/textproto) and RFC 9112 differ, or another server might read the bytes
differently, the head is read as Go reads it and carries a doubt in words; no payload is quoted.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from chaperone.collector.wire.buffer import Malformed
from chaperone.collector.wire.events import Header

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ]+) HTTP/1\.([0-9])")
_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_FOLD = re.compile(r"\r?\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_LENGTH = re.compile(r"[0-9]{1,18}")
HEAD_END = re.compile(rb"\n\r?\n")
LINE_END = re.compile(rb"\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_BEGINS = re.compile(rb"[\r\n]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}(?: |\Z)|\Z)")


class Framing(StrEnum):
    """How a body's end is found (RFC 9112 §6)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Head:
    """A head's parts: of a request `method` and `target`, of a response `status`. `minor` is that of HTTP/1.minor."""

    headers: tuple[Header, ...]
    minor: int
    method: str = ""
    target: str = ""
    status: int = 0
    doubts: tuple[str, ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a field, in order."""
        return [value or "" for key, value in self.headers if key == name]


def request(raw: bytes) -> Head:
    """The head of a request. Malformed when its first line is none."""
    line, headers, doubts = _parts(raw)
    if not (match := _REQUEST_LINE.fullmatch(line)):
        raise Malformed("not an HTTP request line")
    if sum(name == "host" for name, _ in headers) > 1:
        doubts.append("more than one Host")
    return Head(headers, int(match[3]), method=match[1], target=match[2], doubts=tuple(doubts))


def response(raw: bytes) -> Head:
    """The head of a response. Malformed when its first line is none."""
    line, headers, doubts = _parts(raw)
    if not (match := _STATUS_LINE.fullmatch(line)):
        raise Malformed("not an HTTP status line")
    return Head(headers, int(match[1]), status=int(match[2]), doubts=tuple(doubts))


def may_be_request(begin: bytes) -> bool:
    """May these first bytes (at most 40) become a request?"""
    return _BEGINS.match(begin) is not None


def may_be_response(begin: bytes) -> bool:
    """May these first bytes become a response?"""
    return begin[:7] == b"HTTP/1."[: len(begin)]


def chunk_size(line: bytes) -> tuple[int, tuple[str, ...]]:
    """A chunk's size line (RFC 9112 §7.1, Go net/http/internal): size and doubts. Malformed when it is none."""
    if not (match := _CHUNK_SIZE.fullmatch(line)):
        raise Malformed("not a chunk size")
    return int(match[1], 16), () if line.endswith(b"\r\n") else ("a chunk size ends without CR",)


def asks_upgrade(head: Head) -> bool:
    """Does this request ask for another protocol on its connection (RFC 9110 §7.8)?"""
    if head.method == "CONNECT":
        return True
    tokens = ",".join(head.values("connection")).lower().split(",")
    return "upgrade" in (token.strip() for token in tokens) and bool(head.values("upgrade"))


def trailers(raw: bytes) -> tuple[tuple[Header, ...], tuple[str, ...]]:
    """Fields behind a chunked body, up to and with the empty line."""
    _, headers, doubts = _parts(b"\r\n" + raw)
    return headers, tuple(doubts)


def framing(head: Head, otherwise: Framing) -> tuple[Framing, int, list[str]]:
    """How the body is framed, its length if known, and doubts. `otherwise`: when neither length nor chunks are given.

    Malformed when nothing tells where the body ends.
    """
    codings, lengths = head.values("transfer-encoding"), head.values("content-length")
    doubts: list[str] = []
    if codings and head.minor == 0:
        doubts.append("Transfer-Encoding in HTTP/1.0")
        codings = []
    if codings:
        return Framing.CHUNKED, 0, doubts + _chunked_doubts(codings, lengths)
    if not lengths:
        return otherwise, 0, doubts
    if len(set(lengths)) > 1:
        doubts.append("conflicting Content-Length")
    known = [int(value) for value in lengths if _LENGTH.fullmatch(value)]
    if not known:
        raise Malformed("Content-Length is not a number")
    return (Framing.LENGTH if known[0] else Framing.NONE), known[0], doubts


def _chunked_doubts(codings: list[str], lengths: list[str]) -> list[str]:
    if codings[-1].rpartition(",")[2].strip().lower() != "chunked":
        raise Malformed("Transfer-Encoding does not end in chunked")
    doubts = []
    if codings != ["chunked"] and [value.lower() for value in codings] != ["chunked"]:
        doubts.append("Transfer-Encoding other than chunked")
    if lengths:
        doubts.append("Transfer-Encoding and Content-Length")
    return doubts


def _parts(raw: bytes) -> tuple[str, tuple[Header, ...], list[str]]:
    """First line, fields, doubts."""
    text, doubts = _text(raw)
    if text.count("\n") != text.count("\r\n"):
        doubts.append("a line ends without CR")
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    if _CONTROL.search(text):
        doubts.append("control characters in a head")
    first, _, rest = text.partition("\r\n")
    if "\n " in rest or "\n\t" in rest:
        doubts.append("a field is folded over lines")
        rest = _FOLD.sub(" ", rest)
    return first, _fields(rest, doubts), doubts


def _fields(text: str, doubts: list[str]) -> tuple[Header, ...]:
    fields: list[Header] = []
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if line and (not colon or not _TOKEN.fullmatch(name)):
            doubts.append("a field name is not a token")
        if line:
            fields.append((name.strip().lower(), value.strip(" \t")))
    return tuple(fields)


def _text(raw: bytes) -> tuple[str, list[str]]:
    try:
        return raw.decode(), []
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), ["a head is not UTF-8"]
