"""HTTP/2's frames by position (RFC 9113 §4.1): their headers only, and the payload of those kinds that are wanted.

A frame is known from its ninth byte on. What is behind `border` is not known yet.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum, IntFlag

HEAD = 9
WANTED_LIMIT = 16_384  # payloads above are not kept; no SETTINGS that means anything is as long


class Kind(IntEnum):
    """Types of frames (RFC 9113 §6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Flag(IntFlag):
    """Flags of frames."""

    END_STREAM = 1
    ACK = 1
    END_HEADERS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `size`: of its payload."""

    begin: int
    size: int
    kind: int
    flags: int
    number: int
    payload: bytes = b""

    @property
    def end(self) -> int:
        """Position behind it."""
        return self.begin + HEAD + self.size


class Frames:
    """Of one direction, from a position between two frames on."""

    def __init__(self, position: int = 0, wanted: Collection[int] = ()) -> None:
        self.end = position  # behind all bytes that came
        self.border = position  # behind the last frame that is known
        self._wanted = wanted
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that became known with these bytes."""
        begin, self.end = self.end, self.end + len(data)
        if self.border < self.end:
            self._held += memoryview(data)[max(0, self.border - begin) :]
        found = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        held = self._held
        if len(held) < HEAD:
            return None
        size, kind, number = int.from_bytes(held[:3], "big"), held[3], int.from_bytes(held[5:HEAD], "big") & 0x7FFFFFFF
        is_wanted = kind in self._wanted and size <= WANTED_LIMIT
        if is_wanted and len(held) < HEAD + size:
            return None
        frame = Frame(self.border, size, kind, held[4], number, bytes(held[HEAD : HEAD + size]) if is_wanted else b"")
        del held[: HEAD + size]
        self.border = frame.end
        return frame
