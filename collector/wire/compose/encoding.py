"""Where a request says that its answer may be compressed, so that it can be made to say otherwise in as many bytes.

In HTTP/2 the field is looked for by its place in the static table (RFC 7541 Appendix A), or by its plain name: whoever indexes it
later refers to what was put in the table then, which is the edited value of the same size in both tables.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chaperone.collector.wire.compose.units import Edit
from chaperone.proto.refusals import GZIP_PACKED

TEMPLATE = "uncompressed"
NAME = b"accept-encoding"
STATIC = 16  # its index
FIELD = re.compile(rb"\r\naccept-encoding[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
HUFFMAN = 0x80


def in_head(head: bytes, position: int) -> tuple[Edit, ...]:
    """Of a request of HTTP/1.1, whose first byte is at `position`."""
    return tuple(Edit(position + found.start(1), position + found.end(1), TEMPLATE) for found in FIELD.finditer(head) if found[1])


def in_block(block: bytes, position: int) -> tuple[Edit, ...]:
    """Of a whole header block. What can't be read is left: its answer is not delivered then."""
    try:
        return tuple(Edit(position + begin, position + end, TEMPLATE) for begin, end in _values(block) if begin < end <= len(block))
    except IndexError:
        return ()


def _values(block: bytes) -> Iterator[tuple[int, int]]:
    """RFC 7541 §6, by the first bits: indexed; literal with indexing; a table's size; literal without."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            _, at = _integer(block, at, 7)
        elif first & 0xE0 == 0x20:
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            name = _string(block, at) if not index else _Text(at, at, False)
            value = _string(block, name.end)
            is_ours = index == STATIC or (not index and not name.is_packed and block[name.begin : name.end] == NAME)
            if is_ours and (not value.is_packed or block[value.begin : value.end] == GZIP_PACKED):
                yield value.begin, value.end
            at = value.end


@dataclass(frozen=True, slots=True)
class _Text:
    begin: int
    end: int
    is_packed: bool


def _string(block: bytes, at: int) -> _Text:
    size, begin = _integer(block, at, 7)
    return _Text(begin, begin + size, bool(block[at] & HUFFMAN))


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """RFC 7541 §5.1."""
    most = (1 << bits) - 1
    value, at = block[at] & most, at + 1
    shift = 0
    while value >= most and shift < 35:
        byte, at = block[at], at + 1
        value += (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value, at
