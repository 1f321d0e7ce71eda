"""Bodies that are read once they are whole: protobuf and YAML, and the events of a protobuf watch, each behind its length."""

from collections.abc import Callable

from chaperone.collector.wire.compose.spans import Span

LIMIT = 3 * 1024 * 1024  # bytes that may wait; a client of HTTP/2 gives a server about four MiB before it must have read some
Read = Callable[[bytes], list[Span]]  # ValueError for what cannot be read
LENGTH = 4  # bytes before each event


class WholeSpans:
    """A wire.compose.spans.Scanner. `reads` finds the spans of a whole body, or of an event; `is_stream`: events come."""

    def __init__(self, reads: Read, is_stream: bool = False) -> None:
        self._reads, self._is_stream = reads, is_stream
        self.problem = ""
        self.settled = 0
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Span]:
        """The next bytes."""
        self._held += data
        found: list[Span] = []
        while self._is_stream and not self.problem and len(self._held) >= LENGTH:
            size = LENGTH + int.from_bytes(self._held[:LENGTH], "big")
            if len(self._held) < size:
                break
            found += self._read(LENGTH, size)
        if len(self._held) > LIMIT:
            self.problem = f"over {LIMIT} bytes in one piece"
        return found

    def finish(self) -> list[Span]:
        """That was all."""
        if self._is_stream:
            self.problem = self.problem or ("it ends too early" if self._held else "")
            return []
        return self._read(0, len(self._held))

    def _read(self, begin: int, end: int) -> list[Span]:
        data = bytes(self._held[begin:end])
        at = self.settled + begin
        self.settled += end
        del self._held[:end]
        try:
            return [Span(at + span.begin, at + span.end, span.fill, span.padding) for span in self._reads(data)] if data else []
        except ValueError as error:
            self.problem = str(error)
            return []
