"""Content codings taken off as the bytes come: gzip, deflate, identity. Nothing else, and never past a limit.

A gzip body may be several members in a row (one per flush of a compressed watch, apiserver
pkg/endpoints/handlers/watch.go, perFlushGzipWriter): behind each one's end a new decompressor starts. "deflate" is
zlib (RFC 9110 §8.4.1.2), but some senders leave the wrapper away. A problem stops the decoder and is kept in words.
"""

import zlib
from collections.abc import Iterator

OUTPUT_LIMIT = 256 * 1024 * 1024  # decoded bytes of one body, unless the caller says less
_STEP = 16 * 1024  # encoded bytes of one inflate call: what zlib copies behind a member's end stays small
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NAMES = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class Decoder:
    """One body's content coding. `problem` is "" while all is well, else why nothing more comes out."""

    def __init__(self, content_encoding: str | None, limit: int = OUTPUT_LIMIT) -> None:
        """`content_encoding`: the header's value; several codings on one body are refused as unknown."""
        self.coding = _NAMES.get((content_encoding or "").strip().lower(), "unknown")
        self.problem = "unknown content coding" if self.coding == "unknown" else ""
        self.size = 0  # decoded bytes so far
        self._limit = limit
        self._wrapper = b""  # the first bytes of a deflate body, until they show whether it is wrapped
        self._inflater: zlib._Decompress | None = None  # of the member that is not yet over

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """The next decoded bytes; identity hands on what it got. What came before a problem is still returned."""
        if self.problem:
            return b""
        if self.coding == "identity":
            return self._counted(data)
        if self.coding == "deflate" and self._inflater is None:
            data = self._wrapper + bytes(data)
            if len(data) < 2:
                self._wrapper = data
                return b""
        return b"".join(self._inflate(memoryview(data)))

    def finish(self) -> str:
        """The body is over: "" if it was whole, else the problem."""
        if not self.problem and (self._wrapper or (self._inflater is not None and not self._inflater.eof)):
            self.problem = f"{self.coding} body ends early"
        return self.problem

    def _inflate(self, data: memoryview) -> Iterator[bytes | memoryview]:
        self._wrapper = b""
        at = 0
        while at < len(data) and not self.problem:
            step = data[at : at + _STEP]
            try:
                inflater = self._member(data)
                yield self._counted(inflater.decompress(step, self._limit - self.size + 1))
            except zlib.error:
                self.problem = f"not {self.coding}"
                return
            at += len(step) - len(inflater.unused_data)

    def _member(self, data: memoryview) -> "zlib._Decompress":
        if self._inflater is None or self._inflater.eof:
            bits = _GZIP if self.coding == "gzip" else _ZLIB if _is_wrapped(data) else _RAW
            if self._inflater is not None and self.coding == "deflate":
                raise zlib.error("bytes behind the end")
            self._inflater = zlib.decompressobj(bits)
        return self._inflater

    def _counted(self, decoded: bytes | memoryview) -> bytes | memoryview:
        room = self._limit - self.size
        self.size += min(len(decoded), room)
        if len(decoded) > room:
            self.problem = f"more than {self._limit} decoded bytes"
            return decoded[:room]
        return decoded


def _is_wrapped(data: memoryview) -> bool:
    """RFC 1950 §2.2: compression method 8, and a header that is a multiple of 31."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
