"""Bytes of one direction as a stream delivers them: chunks with their times, and gaps where bytes are missing.

They are held in order until a parser claims them, so a direction can run ahead of the other. A chunk is copied only
when what a parser wants lies across a border: body bytes are slices of the chunks that were fed.
"""

import re
from collections import deque
from dataclasses import dataclass

from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.proto.records import Cause

SKEW_LIMIT = 4 * 1024 * 1024  # how far one direction may run ahead of the other, in bytes
_SMALL = 4096  # chunks below are joined while they wait, so that single bytes do not cost an object each
_JOINED = 65536
_MANY = 4096  # waiting chunks from which on even different times are joined (the later one is kept)


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing bytes."""

    position: int
    size: int
    time: int
    cause: str


class Intake:
    """Unclaimed bytes of one direction. Every claim moves `position`, and sets `time` to its last chunk's."""

    def __init__(self, position: int = 0) -> None:
        self.position = position  # of the first unclaimed byte
        self.end = position  # behind all that was delivered or lost
        self.time = 0
        self.ready = 0  # unclaimed bytes up to the first gap
        self.held = 0  # all unclaimed bytes
        self._chunk: bytes | bytearray = b""
        self._at = 0  # first unclaimed byte of _chunk
        self._scanned = 0  # `through` need not look before this offset of _chunk
        self._chunk_time = 0
        self._later: deque[tuple[bytes | bytearray, int, int] | Gap] = deque()
        self.gaps = 0  # how many are held

    def add(self, position: int, data: bytes, time: int) -> None:
        """Bytes from `position` on: what was delivered before is skipped, a jump becomes a gap."""
        skip = self.end - position
        if skip < 0:
            self.lose(-skip, time, Cause.UNKNOWN if self.end else "joined late")
            skip = 0
        size = len(data) - skip
        if size <= 0:
            return
        self.end += size
        self.held += size
        if not self.gaps:
            self.ready += size
        self._hold(data, skip, time)

    def lose(self, size: int, time: int, cause: str) -> None:
        """`size` bytes at the end will not come."""
        if size > 0:
            self._later.append(Gap(self.end, size, time, cause))
            self.gaps += 1
            self.end += size

    def has(self, size: int) -> bool:
        """Are `size` bytes here? Hole when a gap comes first."""
        if self.ready >= size:
            return True
        if self.gaps:
            raise Hole(self._first_gap().size)
        return False

    def take(self, size: int) -> bytes:
        """Claim `size` bytes that are here."""
        if not size:
            return b""
        if self._at == len(self._chunk):
            self._load()
        stop = self._at + size
        data = bytes(self._chunk[self._at : stop])
        self._at = min(stop, len(self._chunk))
        if len(data) < size:
            data = self._across(data, size)
        self._claim(size)
        return data

    def some(self, most: int) -> memoryview:
        """Claim at most `most` bytes of those that are here, uncopied."""
        if self._at == len(self._chunk):
            self._load()
        view = memoryview(self._chunk)[self._at : self._at + most]
        self._at += len(view)
        self._claim(len(view))
        return view

    def peek(self, most: int) -> bytes:
        """At most `most` bytes from the first chunk that has any, unclaimed."""
        if self._at == len(self._chunk) and self.ready:
            self._load()
        return bytes(self._chunk[self._at : self._at + most])

    def through(self, end: re.Pattern[bytes], overlap: int, limit: int) -> bytes | None:
        """Claim through the first match of `end`, which may be `overlap` bytes and one long; None if it is not here yet.

        Hole when a gap comes first, Malformed when there is no match within `limit` bytes.
        """
        while True:
            found = end.search(self._chunk, max(self._at, self._scanned))
            size = (found.end() if found else len(self._chunk)) - self._at
            if size > limit:
                raise Malformed(f"no end within {limit} bytes")
            if found:
                self._chunk = bytes(self._chunk)
                return self.take(size)
            self._scanned = max(self._at, len(self._chunk) - overlap)
            if not self._gather():
                if self.gaps:
                    raise Hole(self._first_gap().size)
                return None

    def window(self) -> memoryview:
        """All bytes up to the first gap in one piece, unclaimed: for a search. Let go of it before the next call."""
        while self.ready and self._gather():
            pass
        return memoryview(self._chunk)[self._at :]

    def drop(self, size: int) -> None:
        """Give `size` bytes up that are here."""
        while size:
            size -= len(self.some(size))
        self._chunk = self._chunk if self._at < len(self._chunk) else b""
        self._at = min(self._at, len(self._chunk))

    def gap(self) -> Gap | None:
        """The gap that is next, with nothing before it."""
        if self.ready or not self.gaps:
            return None
        return self._first_gap()

    def bridge(self) -> Gap:
        """Give up what lies before the first gap, and step over it."""
        self.drop(self.ready)
        gap = self._first_gap()
        self._later.popleft()
        self.gaps -= 1
        self.position += gap.size
        self.time = gap.time
        self.ready = self._ready()
        return gap

    def clear(self) -> None:
        """Give up all that is here, gaps too."""
        self.position = self.end
        self.ready = self.held = self.gaps = 0
        self._chunk, self._at, self._scanned = b"", 0, 0
        self._later.clear()

    def rest(self) -> list[tuple[int, bytes, int] | Gap]:
        """All that is unclaimed, as (position, bytes, time) and gaps, in order: for another reader. Leaves nothing."""
        left: list[tuple[int, bytes, int] | Gap] = []
        position = self.position
        chunks = [(self._chunk, self._at, self._chunk_time), *self._later]
        for item in chunks:
            if isinstance(item, Gap):
                left.append(item)
                position += item.size
            elif data := bytes(item[0][item[1] :]):
                left.append((position, data, item[2]))
                position += len(data)
        self.clear()
        return left

    def _hold(self, data: bytes, start: int, time: int) -> None:
        last = self._later[-1] if self._later else None
        small = len(data) - start < _SMALL
        if small and isinstance(last, tuple) and isinstance(last[0], bytearray) and self._joins(last[0], last[2], time):
            last[0].extend(memoryview(data)[start:])
            self._later[-1] = (last[0], 0, time)
        elif small and last is not None:
            self._later.append((bytearray(memoryview(data)[start:]), 0, time))
        else:
            self._later.append((data, start, time))

    def _joins(self, last: bytearray, then: int, now: int) -> bool:
        return len(last) < _JOINED and (then == now or len(self._later) > _MANY)

    def _load(self) -> None:
        """The next chunk becomes the current one."""
        item = self._later.popleft()
        assert isinstance(item, tuple), "claimed beyond a gap"
        data, self._at, self._chunk_time = item
        self._chunk = bytes(data)
        self._scanned = 0

    def _gather(self) -> bool:
        """Join the next chunk to the current one; False if none is there."""
        if not self._later or isinstance(self._later[0], Gap):
            return False
        if self._at == len(self._chunk):
            self._load()
            return True
        data, start, self._chunk_time = self._later.popleft()  # type: ignore[misc]
        if not isinstance(self._chunk, bytearray):
            self._chunk = bytearray(memoryview(self._chunk)[self._at :])
            self._shift()
        elif self._at > len(self._chunk) // 2:
            del self._chunk[: self._at]
            self._shift()
        self._chunk += memoryview(data)[start:]
        return True

    def _shift(self) -> None:
        self._scanned = max(0, self._scanned - self._at)
        self._at = 0

    def _across(self, begun: bytes, size: int) -> bytes:
        parts, missing = [begun], size - len(begun)
        while missing:
            self._load()
            part = self._chunk[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(bytes(part))
        return b"".join(parts)

    def _claim(self, size: int) -> None:
        self.time = self._chunk_time
        self.position += size
        self.ready -= size
        self.held -= size

    def _first_gap(self) -> Gap:
        return next(item for item in self._later if isinstance(item, Gap))

    def _ready(self) -> int:
        size = 0
        for item in self._later:
            if isinstance(item, Gap):
                break
            size += len(item[0]) - item[1]
        return size
