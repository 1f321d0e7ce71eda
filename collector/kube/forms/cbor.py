"""CBOR (RFC 8949) as Kubernetes writes it (KEP-4222): text, also keys, as byte strings; `[]byte` in tag 22.

`Items` cuts a stream into whole items without decoding, each byte looked at once; `parse_cbor` decodes one. Source:
apimachinery pkg/runtime/serializer/cbor/internal/modes (decode.go: 64 levels, no duplicate keys, few tags).
"""

import base64
from typing import Any

import cbor2

from chaperone.collector.kube.forms.parsed import Parsed, UnreadableError

DEPTH_LIMIT = 64
SELF_DESCRIBED = b"\xd9\xd9\xf7"  # tag 55799
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_HEADS = {24: 2, 25: 3, 26: 5, 27: 9}
_WITHOUT_END = -1
_BASE64_TAG = 22
_REFUSED_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000)


class Items:
    """Bytes → whole CBOR items. Holds less than one item; one over `limit` bytes is unreadable."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = bytearray()
        self._at = 0
        self._open: list[int] = []  # items still to come of each open container

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The items that are whole now. UnreadableError where the bytes are no CBOR."""
        self.held += data
        items: list[bytes] = []
        while self._step():
            if not self._open:
                items.append(bytes(self.held[: self._at]))
                del self.held[: self._at]
                self._at = 0
        if len(self.held) > self.limit:
            raise UnreadableError(f"a CBOR item over {self.limit} bytes")
        return items

    def _step(self) -> bool:
        """Pass one head, with the bytes of a string; False until they are there."""
        if self._at >= len(self.held):
            return False
        major, info = self.held[self._at] >> 5, self.held[self._at] & 31
        head = _HEADS.get(info, 1)
        if self._at + head > len(self.held):
            return False
        size = int.from_bytes(self.held[self._at + 1 : self._at + head], "big") if head > 1 else info
        if info == 31:
            return self._without_end(major)
        if info > 27 or (major in (_BYTES, _TEXT, _ARRAY, _MAP) and size > self.limit):
            raise UnreadableError("not CBOR, or a length over the limit")
        return self._sized(major, head, size)

    def _sized(self, major: int, head: int, size: int) -> bool:
        if major in (_BYTES, _TEXT):
            if self._at + head + size > len(self.held):
                return False
            self._at += head + size
        else:
            self._at += head
            count = {_ARRAY: size, _MAP: 2 * size, _TAG: 1}.get(major, 0)
            if count:
                return self._enter(count)
        return self._leave()

    def _without_end(self, major: int) -> bool:
        self._at += 1
        if major != 7:
            if major not in (_BYTES, _TEXT, _ARRAY, _MAP):
                raise UnreadableError("not CBOR")
            return self._enter(_WITHOUT_END)
        if not self._open or self._open.pop() != _WITHOUT_END:
            raise UnreadableError("a CBOR break without a container")
        return self._leave()

    def _enter(self, count: int) -> bool:
        if len(self._open) >= DEPTH_LIMIT:
            raise UnreadableError(f"CBOR nested deeper than {DEPTH_LIMIT}")
        self._open.append(count)
        return True

    def _leave(self) -> bool:
        """An item is over, and with it containers that it filled."""
        while self._open and self._open[-1] != _WITHOUT_END:
            self._open[-1] -= 1
            if self._open[-1]:
                break
            self._open.pop()
        return True


def parse_cbor(data: bytes | memoryview) -> Parsed:
    """One item, nothing behind it, as JSON-like values."""
    raw = bytes(data)
    items = Items(len(raw)).feed(raw)
    if len(items) != 1 or len(items[0]) != len(raw):
        raise UnreadableError("not one whole CBOR item")
    try:
        value = cbor2.loads(raw.removeprefix(SELF_DESCRIBED), **_OPTIONS)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as error:
        raise UnreadableError(f"not CBOR as Kubernetes reads it ({type(error).__name__})") from None
    return Parsed(_plain(value))


def _tag(tag: Any, immutable: bool) -> str:
    if tag.tag != _BASE64_TAG or not isinstance(tag.value, bytes):
        raise ValueError("a tag that Kubernetes does not use")
    return base64.b64encode(tag.value).decode()


def _refuse(value: Any, immutable: bool) -> Any:
    raise ValueError("a tag that Kubernetes does not use")


_OPTIONS: dict[str, Any] = {
    "max_depth": DEPTH_LIMIT,
    "allow_duplicate_keys": False,
    "strict_hashable_types": True,
    "tag_hook": _tag,
    "semantic_decoders": dict.fromkeys(_REFUSED_TAGS, _refuse),
}


def _plain(value: Any) -> Any:
    """Byte strings are text; at most DEPTH_LIMIT calls deep."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise UnreadableError("a CBOR value that JSON does not have")


def _key(key: Any) -> str:
    if isinstance(key, bytes | str):
        return key if isinstance(key, str) else key.decode("utf-8", "replace")
    raise UnreadableError("a CBOR map key that is no string")
