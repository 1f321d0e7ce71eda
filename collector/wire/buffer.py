"""Unclaimed bytes of one direction, and the ways a parser waits for them. No framing knowledge, no events.

A parser is a generator: it yields when it wants more bytes, so the suspended generator is the parser's state. A hole is
thrown into it as `Hole` where it waits; one that can bridge it (a body of known length) catches it, others unwind.
"""

from collections.abc import Generator

Wait = Generator[None, None, bytes]


class Malformed(Exception):  # noqa: N818 - an adjective, as h11 and the style have it
    """These bytes cannot be what they should be. Unwinds one parser; quotes no payload."""


class Hole(Exception):  # noqa: N818 - thrown in, not raised by a mistake
    """`size` bytes are missing from where the parser waits."""

    def __init__(self, size: int, cause: str = "") -> None:
        super().__init__(f"{size} bytes missing")
        self.size = size
        self.cause = cause


class Buffer:
    """Bytes of one direction that no parser has claimed. `position` is that of the first of them."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.held = bytearray()

    def add(self, data: bytes | memoryview) -> None:
        """Bytes that follow what is held."""
        self.held += data

    def skip(self, size: int) -> None:
        """The held bytes are given up, and `size` more never came."""
        self.position += len(self.held) + size
        self.held.clear()

    def take(self, size: int) -> bytes:
        """Claim up to `size` bytes that are here."""
        taken = bytes(self.held[:size])
        del self.held[:size]
        self.position += len(taken)
        return taken

    def drop(self, size: int) -> None:
        """Claim `size` bytes that are here, unread."""
        del self.held[:size]
        self.position += size

    def exactly(self, size: int) -> Wait:
        """Wait for `size` bytes."""
        while len(self.held) < size:
            yield
        return self.take(size)

    def some(self, most: int) -> Wait:
        """Wait for at least one byte; return at most `most`."""
        while not self.held:
            yield
        return self.take(most)
