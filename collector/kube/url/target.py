"""A request target as Go's net/url reads it, which is what the apiserver's rules are applied to.

Source: Go 1.27 net/url: parse (viaRequest), setPath, validEncoded, EscapedPath, RequestURI. Go's server answers 400 to
what its parser refuses, so such a request never reaches a handler or the audit log; here it is read as well as it goes
and the doubt is said.
"""

import re
from dataclasses import dataclass

ABSOLUTE = "a target in absolute form"
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_INVALID = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# validEncoded: what a path may hold as sent; anything else makes Go write the whole path anew
_VALID_PATH = re.compile(rb"[A-Za-z0-9\-_.~$&+,/:;=@!'()*\[\]%]*\Z")
_KEPT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~$&+,/:;=@")
_PLAIN = re.compile(r"/[A-Za-z0-9\-_.~/:]*(\?[!-~]*)?\Z")  # the usual: nothing to decode, nothing to doubt


@dataclass(frozen=True, slots=True)
class Target:
    """`uri` as the audit log says it (Go's URL.RequestURI), `path` decoded, `query` raw. `doubts`: why readers may differ."""

    uri: str
    path: str
    query: str
    doubts: tuple[str, ...] = ()


def read_target(sent: str) -> Target:
    """The parts of a target as sent."""
    if _PLAIN.match(sent):
        path, _, query = sent.partition("?")
        return Target(sent, path, query)
    raw = wire_bytes(sent)
    if raw == b"*":
        return Target("*", "*", "")
    if _CONTROL.search(raw) or not raw:
        return Target(text_of(raw), text_of(raw.partition(b"?")[0]), "", ("the target is none that Go accepts",))
    return _parse(raw)


def wire_bytes(text: str) -> bytes:
    """Header text back to its bytes: the readers decode UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that no decoder made
        return text.encode("utf-8", "replace")


def text_of(raw: bytes) -> str:
    """Bytes as Go's JSON encoder shows them: each invalid byte is U+FFFD."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _INVALID.sub("\ufffd", raw.decode("utf-8", "surrogateescape"))


def _parse(raw: bytes) -> Target:
    scheme = _SCHEME.match(raw)
    if scheme:
        return _absolute(raw[scheme.end() :])
    return _relative(raw, ("the target is no path",) if not raw.startswith(b"/") else ())


def _absolute(rest: bytes) -> Target:
    """Absolute-form (RFC 9112 §3.2.2): Go's RequestURI leaves scheme and authority out; without a slash all is opaque."""
    if not rest.startswith(b"/"):
        opaque, mark, query = rest.partition(b"?")
        return Target(text_of((opaque or b"/") + mark + query), "", _query_text(query), (ABSOLUTE,))
    if not rest.startswith(b"//"):
        return _relative(rest, (ABSOLUTE,))
    path = re.search(rb"[/?]", rest[2:])
    return _relative(rest[2:][path.start() :] if path else b"", (ABSOLUTE,))


def _relative(raw: bytes, doubts: tuple[str, ...]) -> Target:
    rest, mark, query = raw.partition(b"?")
    bad = ("the path has a bad escape",) if _BAD_ESCAPE.search(rest) else ()
    slash = ("%2F in the path splits a segment",) if b"%2f" in rest.lower() else ()
    path = unescape(rest)
    shown = rest if bad or _VALID_PATH.match(rest) else _escape(path)
    return Target(text_of((shown or b"/") + mark + query), text_of(path), _query_text(query), doubts + bad + slash)


def _query_text(query: bytes) -> str:
    return query.decode("utf-8", "surrogateescape")


def unescape(raw: bytes) -> bytes:
    """Percent-decoding of a path: `+` stays."""
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw) if b"%" in raw else raw


def _escape(path: bytes) -> bytes:
    return b"".join(bytes((byte,)) if byte in _KEPT else b"%%%02X" % byte for byte in path)
