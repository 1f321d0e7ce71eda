"""Strings in HPACK's Huffman code (RFC 7541 §5.2), a byte at a step.

hpack's own decoder goes by half bytes in a loop that took a third of the time of small requests; its table is used here, two
steps of it joined at first need. At most 65,536 of them are kept (256 states, 256 bytes); text needs a few thousand.
"""

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE

_Step = tuple[int, bytes, bool]  # next state, shifted to make a key with the next byte; the symbols that end here; may it end here?


class _Steps(dict[int, _Step]):
    """By state and byte."""

    def __missing__(self, key: int) -> _Step:
        state, first = self._half(key >> 8, key >> 4 & 15)
        state, second = self._half(state, key & 15)
        self[key] = step = (state << 8, first[0] + second[0], second[1])
        return step

    def _half(self, state: int, bits: int) -> tuple[int, tuple[bytes, bool]]:
        after, flags, symbol = HUFFMAN_TABLE[state * 16 + bits]
        if flags & HUFFMAN_FAIL:
            raise HPACKDecodingError("invalid Huffman string")
        return after, (bytes((symbol,)) if flags & HUFFMAN_EMIT_SYMBOL else b"", bool(flags & HUFFMAN_COMPLETE))


_STEPS = _Steps()


def decode(data: bytes) -> bytes:
    """The string. HPACKDecodingError when it is none."""
    state, is_whole = 0, True
    decoded: list[bytes] = []
    for byte in data:
        state, symbols, is_whole = _STEPS[state | byte]
        decoded.append(symbols)
    if not is_whole:
        raise HPACKDecodingError("incomplete Huffman string")
    return b"".join(decoded)
