"""Where a payload goes while it comes: gathered up to a limit, or nowhere."""

from collections.abc import Callable
from typing import Protocol

from chaperone.collector.wire.buffer import Buffer

PART_LIMIT = 4 * 1024 * 1024  # bytes of a message or frame held until it is whole; above, it is passed on in parts


class Sink(Protocol):
    """Takes a payload as it comes."""

    def room(self) -> int:
        """How many bytes it takes at most; more than 0."""
        ...

    def take(self, data: bytes) -> None:
        """The next bytes."""
        ...

    def skip(self, size: int) -> None:
        """`size` bytes never came."""
        ...


class Nothing:
    """For what nobody needs."""

    def room(self) -> int:
        """Anything."""
        return PART_LIMIT

    def take(self, data: bytes) -> None:
        """Gone."""

    def skip(self, size: int) -> None:
        """Gone anyway."""


Emit = Callable[[int, bytes, int, bool], None]


class Parts:
    """Gathers what belongs together and hands it to `emit(position, data, offset, final)`.

    That is once, unless it is longer than PART_LIMIT or has a hole. `offset` counts the bytes before `data`, lost ones too.
    `position`: where what was not handed over yet begins.
    """

    def __init__(self, buffer: Buffer, position: int, emit: Emit) -> None:
        self._buffer, self.position, self._emit = buffer, position, emit
        self._offset = 0
        self._data: bytes | bytearray = b""

    def room(self) -> int:
        """Up to the limit."""
        return PART_LIMIT - len(self._data)

    def take(self, data: bytes) -> None:
        """Keep it, uncopied while it is the only piece."""
        if not self._data:
            self._data = data
        elif isinstance(self._data, bytes):
            self._data = bytearray(self._data) + data
        else:
            self._data += data
        if not self.room():
            self.flush(final=False)

    def skip(self, size: int) -> None:
        """What was gathered before a hole goes on ahead of it."""
        self.flush(final=False)
        self._offset += size
        self.position = self._buffer.position + size

    def flush(self, final: bool) -> None:
        """Hand over what there is; the last part also when it is empty."""
        if not (final or self._data):
            return
        self._emit(self.position, bytes(self._data), self._offset, final)
        self._offset += len(self._data)
        self._data, self.position = b"", self._buffer.position
