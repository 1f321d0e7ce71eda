"""HPACK of one direction (RFC 7541), also when its first blocks were missed. Decoding itself is hpack's.

Joined late, the dynamic table's older part is not known: entries inserted since sit at index 62, 63, … and are exact,
any index beyond is `None`, a name or value that is not known. Nothing is guessed. Known entries count with the size they
surely have, and the table with the largest size it may have, so none is forgotten that may still be referred to.
"""

from collections.abc import Sequence
from typing import Any

import hpack
from hpack.hpack import decode_integer
from hpack.table import HeaderTable

from chaperone.collector.wire.buffer import Malformed
from chaperone.collector.wire.events import Header
from chaperone.collector.wire.huffman import decode

LIST_LIMIT = 2 * 1024 * 1024  # decoded size of one header list (RFC 9113 §6.5.2); an apiserver takes 1 MiB
TABLE_LIMIT = 65_536  # dynamic table; these clients and servers use 4096
_STATIC = 61


class _Unknown(bytes):
    """Stands for a name or value that is not known; hpack copies with bytes(), which must keep it."""

    def __bytes__(self) -> bytes:
        return self


UNKNOWN = _Unknown()


class Table(HeaderTable):
    """A dynamic table whose beginning may be unknown (`late`)."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False

    def forget(self) -> None:
        """Blocks were missed: how many entries were inserted meanwhile is not known."""
        self.maxsize = 0
        self.maxsize = TABLE_LIMIT
        self.late = True

    @property
    def maxsize(self) -> int:
        """Largest size of the dynamic part."""
        return int(self._maxsize)

    @maxsize.setter
    def maxsize(self, size: int) -> None:
        HeaderTable.maxsize.fset(self, size)  # type: ignore[attr-defined]
        self.late = self.late and size > 0  # emptied: all that follows is known

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        """The entry, or unknown where it may have been inserted before joining."""
        if 0 < index <= _STATIC:
            return HeaderTable.STATIC_TABLE[index - 1]
        beyond = index - _STATIC - 1 - len(self.dynamic_entries)
        if index and beyond < 0:
            return self.dynamic_entries[beyond]
        if self.late and index and beyond < TABLE_LIMIT // 32:
            return UNKNOWN, UNKNOWN
        raise hpack.InvalidTableIndexError


class HeaderBlocks(hpack.Decoder):
    """The header blocks of one direction. Every block must pass through here, in order."""

    def __init__(self) -> None:
        super().__init__(max_header_list_size=LIST_LIMIT)
        self.header_table = self.table = Table()
        self.max_allowed_table_size = TABLE_LIMIT

    def fields(self, block: bytes) -> tuple[list[Header], bool]:
        """The block's fields, and whether all of it was UTF-8. Malformed when it is no header block."""
        try:
            raw = self.decode(block, raw=True)
        except hpack.HPACKError as error:
            raise Malformed(f"header block: {type(error).__name__}") from error
        try:
            if not self.table.late:
                return [(name.decode(), value.decode()) for name, value in raw], True
            return [(_text(name), _text(value)) for name, value in raw], True
        except UnicodeDecodeError:
            return [(_text(name, "replace"), _text(value, "replace")) for name, value in raw], False

    def mark(self) -> list[Any]:
        """The table, of msgpack types only."""
        table = self.table
        entries = [[_kept(name), _kept(value)] for name, value in table.dynamic_entries]
        return [table.late, table.maxsize, entries]

    @classmethod
    def restore(cls, mark: Sequence[Any]) -> "HeaderBlocks":
        """Blocks that go on from `mark`."""
        blocks = cls()
        late, blocks.table.maxsize, entries = mark
        blocks.table.late = late
        for name, value in reversed(entries):
            blocks.table.add(UNKNOWN if name is None else name, UNKNOWN if value is None else value)
        return blocks

    def _decode_indexed(self, data: bytes | memoryview) -> tuple[hpack.HeaderTuple, int]:
        """An indexed field in one byte (RFC 7541 §6.1), as nearly all are, is looked up at once: a quarter of the time."""
        if data[0] == 0xFF:
            return super()._decode_indexed(data)
        return hpack.HeaderTuple(*self.table.get_by_index(data[0] & 0x7F)), 1

    def _decode_literal(self, data: bytes | memoryview, should_index: bool) -> tuple[hpack.HeaderTuple, int]:
        """A literal (RFC 7541 §6.2), uncopied but for its strings: hpack copies the whole rest of a block for each."""
        index, at = decode_integer(data, 6 if should_index else 4)
        name, at = (self.table.get_by_index(index)[0], at) if index else _string(data, at)
        value, at = _string(data, at)
        if should_index:
            self.table.add(name, value)
        kind = hpack.NeverIndexedHeaderTuple if not should_index and data[0] & 0x10 else hpack.HeaderTuple
        return kind(name, value), at


def _string(data: bytes | memoryview, at: int) -> tuple[bytes, int]:
    """A string literal (§5.2), and where it ends."""
    size, used = decode_integer(data[at:], 7)
    end = at + used + size
    if end > len(data):
        raise hpack.HPACKDecodingError("truncated header block")
    raw = bytes(data[at + used : end])
    return decode(raw) if data[at] & 0x80 else raw, end


def _text(raw: bytes, errors: str = "strict") -> str | None:
    return None if raw is UNKNOWN else raw.decode("utf-8", errors)


def _kept(raw: bytes) -> bytes | None:
    return None if raw is UNKNOWN else raw
