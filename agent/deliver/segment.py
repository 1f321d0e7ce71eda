"""One file of the spool: frames behind one another, each with a checksum that can be checked without its key.

    length u32 | number u64 | CRC-32 of these two u32 | frame | CRC-32 of the frame u32      (little endian)

A frame that was cut off at the end of the file was never sent: its writer died in it. A damaged frame is left out; where a head
is damaged nobody knows where the next one begins, and the rest of the file is left out. How many bytes that were is told.
"""

import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from chaperone.proto.ids import SessionId

HEAD = struct.Struct("<IQI")
TAIL = struct.Struct("<I")
_SAID = struct.Struct("<IQ")
FRAME_LIMIT = 64 << 20  # bytes of one frame, as much as one message may carry
SUFFIX = ".segment"


class DamagedError(Exception):
    """Bytes on disk are not what was written."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A sealed batch."""

    number: int
    data: bytes


class Segment:
    """A file that is being written and read. Where its frames lie is not kept but found again: they are read, and released, in their
    order, so the next one is where the last one ends; as many as a long absence makes cost no memory. `parts`: bytes of it by session."""

    def __init__(self, folder: Path, first: int) -> None:
        self.path = folder / f"{first:016}{SUFFIX}"
        self.first, self.last = first, first - 1  # the lowest and the highest number in it
        self.size = self.released = 0  # bytes in it, and how many of them, from the begin on, nobody needs
        self.parts: Counter[SessionId] = Counter()
        self._next = first, 0  # a number, and where its frame begins or the first one after it
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def append(self, frame: Frame) -> None:
        """Write a frame. On an OSError the file ends where it did before."""
        begin, rest = self.size, memoryview(_written(frame))
        end = begin + len(rest)
        try:
            while rest:
                rest = rest[os.pwrite(self._file, rest, end - len(rest)) :]
        except OSError:
            os.ftruncate(self._file, begin)
            raise
        self.size, self.last = end, frame.number

    def read(self, number: int) -> Frame:
        """The frame with this number. DamagedError."""
        known, begin = self._next
        at = self._place(number, begin if number >= known else self.released)
        self._next = number, at
        found = next(_frames(self._file, at), None)
        if found is None or found[1].number != number:
            raise DamagedError(f"no whole frame {number} at {at} of {self.path.name}")
        return found[1]

    def release(self, through: int) -> Counter[SessionId]:
        """Nobody needs frames up to this number; whose bytes that were, once it is all of them."""
        if through < self.last:
            self.released = self._place(through + 1, self.released)
            return Counter()
        self.released, parts, self.parts = self.size, self.parts, Counter()
        return parts

    def remove(self) -> None:
        """Nobody needs it any more."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the file to others."""
        os.close(self._file)

    def _place(self, number: int, at: int) -> int:
        """Where the first frame from there on begins that has this number or a higher one; what is damaged is not got over."""
        while (told := _head(os.pread(self._file, HEAD.size, at))) is not None and told[1] < number:
            at += HEAD.size + told[0] + TAIL.size
        return at


def frames_in(path: Path, spoil: Callable[[int], None] = lambda size: None) -> Iterator[Frame]:
    """The whole frames of a file, in order; `spoil` is told the size of whatever else is in it. OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        end = 0
        for begin, frame in _frames(descriptor, 0, skips=True):
            spoil(begin - end)
            end = begin + HEAD.size + len(frame.data) + TAIL.size
            yield frame
        spoil(os.fstat(descriptor).st_size - end)
    finally:
        os.close(descriptor)


def _frames(file: int, at: int, skips: bool = False) -> Iterator[tuple[int, Frame]]:
    """Where each begins, and it."""
    while (told := _head(os.pread(file, HEAD.size, at))) is not None:
        length, number = told
        data = os.pread(file, length + TAIL.size, at + HEAD.size)
        if len(data) < length + TAIL.size:
            return
        frame, (checksum,) = data[:length], TAIL.unpack_from(data, length)
        if crc32(frame) == checksum:
            yield at, Frame(number, frame)
        elif not skips:
            return
        at += HEAD.size + len(data)


def _head(data: bytes) -> tuple[int, int] | None:
    """Length and number; None if these bytes are no head."""
    if len(data) < HEAD.size:
        return None
    length, number, checksum = HEAD.unpack(data)
    return (length, number) if crc32(data[: _SAID.size]) == checksum and length <= FRAME_LIMIT else None


def _written(frame: Frame) -> bytes:
    if len(frame.data) > FRAME_LIMIT:
        raise OSError(f"a frame of {len(frame.data)} bytes, at most {FRAME_LIMIT} are kept")
    head = _SAID.pack(len(frame.data), frame.number)
    return head + TAIL.pack(crc32(head)) + frame.data + TAIL.pack(crc32(frame.data))
