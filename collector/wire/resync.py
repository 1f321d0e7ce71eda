"""Where reading can go on behind a hole: places that must be a boundary, each with the evidence in words.

HTTP/1.1: a start line followed by a field line or the empty line. HTTP/2: three frame headers in a row, each with a
length, type, flags and h2 stream id that its type may have (RFC 9113 §6). What lies before is skipped, by the window.
"""

import re
import struct
from collections.abc import Callable

from chaperone.collector.wire.intake import Intake

Search = Callable[[memoryview], tuple[int, int]]  # → offset of a boundary or -1, bytes that are surely none

HTTP1_EVIDENCE = "a start line and a field line"
HTTP2_EVIDENCE = "three frame headers in a row"
MAX_FRAME = 262_144  # MAX_FRAME_SIZE of the apiserver; its clients ask for less

_LINE = 8192  # longest request line that is looked for
_FIELD = rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}:[^\r\n]{0,8192}\r\n|\r\n)"
_REQUEST = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^ \r\n]{0,8192} HTTP/1\.[01]\r\n" + _FIELD,
)
_RESPONSE = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}(?: [^\r\n]{0,256})?\r\n" + _FIELD)
_TAIL = 2 * _LINE + 512  # a boundary may have begun so far before the end of what is here

_HEADER = struct.Struct(">BHBBL")
_FLAGS = rb"[\x00\x01\x04\x05\x08\x09\x0c\x0d\x20\x21\x24\x25\x28\x29\x2c\x2d]"
_CANDIDATE = re.compile(rb"(?=[\x00-\x04]..[\x00-\x09]" + _FLAGS + rb"[\x00-\x7f])", re.DOTALL)
# by type (RFC 9113 §6): flags that exist, whether it belongs to an h2 stream (None: either), lengths (least, most)
_TYPES: dict[int, tuple[int, bool | None, int, int]] = {
    0: (0x09, True, 0, MAX_FRAME),
    1: (0x2D, True, 1, MAX_FRAME),
    2: (0x00, True, 5, 5),
    3: (0x00, True, 4, 4),
    4: (0x01, False, 0, 6 * 32),
    6: (0x01, False, 8, 8),
    7: (0x00, False, 8, 4096),
    8: (0x00, None, 4, 4),
    9: (0x04, True, 0, MAX_FRAME),
}


def http1_request(window: memoryview) -> tuple[int, int]:
    """A request line in `window`."""
    return _line(_REQUEST, window)


def http1_response(window: memoryview) -> tuple[int, int]:
    """A status line in `window`."""
    return _line(_RESPONSE, window)


def http2_frame(window: memoryview) -> tuple[int, int]:
    """A frame header in `window` that two more follow."""
    for candidate in _CANDIDATE.finditer(window):
        at = candidate.start()
        verdict = _is_chain(window, at)
        if verdict:
            return at, 0
        if verdict is None:
            return -1, at
    return -1, max(0, len(window) - 8)


def http2_frame_at_last(window: memoryview) -> tuple[int, int]:
    """The same where nothing follows: what would reach beyond the end is no frame."""
    chains = (found.start() for found in _CANDIDATE.finditer(window) if _is_chain(window, found.start()))
    return next(chains, -1), 0


def is_settings(header: bytes) -> bool:
    """Is this the header of a SETTINGS frame, as a server's first?"""
    high, low, kind, flags, stream = _HEADER.unpack(header)
    return kind == 4 and low % 6 == 0 and _is_plausible(high << 16 | low, kind, flags, stream)


def advance(intake: Intake, search: Search) -> bool:
    """Move `intake` to the next boundary. False: none is here yet; what surely is none has been dropped."""
    offset, useless = search(intake.window())
    intake.drop(offset if offset >= 0 else useless)
    return offset >= 0


def _line(pattern: re.Pattern[bytes], window: memoryview) -> tuple[int, int]:
    if found := pattern.search(window):
        return found.start(), 0
    return -1, max(0, len(window) - _TAIL)


def _is_chain(window: memoryview, at: int, headers: int = 3) -> bool | None:
    """Do that many plausible frames follow one another from `at`? None: it takes more bytes to say."""
    for _ in range(headers):
        if at + _HEADER.size > len(window):
            return None
        high, low, kind, flags, stream = _HEADER.unpack_from(window, at)
        if not _is_plausible(high << 16 | low, kind, flags, stream):
            return False
        at += 9 + (high << 16 | low)
    return True


def _is_plausible(size: int, kind: int, flags: int, stream: int) -> bool:
    if kind not in _TYPES:
        return False
    known, belongs, least, most = _TYPES[kind]
    has_its_stream = belongs is None or belongs == bool(stream)
    is_of_client = not stream or (stream & 1 == 1 and stream < 1 << 31)
    return has_its_stream and is_of_client and not flags & ~known and least <= size <= most
