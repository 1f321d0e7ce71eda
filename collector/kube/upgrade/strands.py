"""SPDY strands → pieces: exec, attach and port-forward by the headers with which the client opens each strand.

Sources: client-go tools/remotecommand v1.go to v4.go, tools/portforward/portforward.go; apimachinery
pkg/util/httpstream. What comes for a strand before its opening (the other direction was read first) waits for it. When
the headers are lost, a strand is named by its number, as client-go opens them, and says so.
"""

from collections import deque

from chaperone.collector.kube.call import Piece
from chaperone.collector.kube.upgrade.asked import Asked, Purpose
from chaperone.collector.kube.upgrade.command import Command
from chaperone.collector.kube.upgrade.pieces import Content, text
from chaperone.collector.wire.events import StrandData, StrandOpened, StrandReset
from chaperone.proto.records import Direction

PENDING_LIMIT = 4 * 1024 * 1024  # bytes that wait for the opening of their strand: as far as directions may be apart
PENDING_EVENTS = 4096
STRAND_LIMIT = 4096  # open at once; past that the oldest loses its name
NAMED_BY_NUMBER = "the stream's headers are missing; it is named by its number"
_COMMAND = ("stdin", "stdout", "stderr", "error", "resize")


class Strands:
    """The strands of one exchange. `blind`: openings may be missing."""

    def __init__(self, asked: Asked, command: Command) -> None:
        self._asked, self._command = asked, command
        self._names: dict[int, str] = {}
        self._guessed: set[int] = set()
        self._ended: set[tuple[int, Direction]] = set()
        self._pending: deque[StrandData | StrandReset] = deque()
        self._pending_size = 0
        self.blind = False

    def open(self, event: StrandOpened) -> list[Piece]:
        """A strand gets its name, and what waited for it its turn. It keeps the first, as the server does."""
        headers = {name: value or "" for name, value in event.headers if name}
        if event.strand not in self._names or event.strand in self._guessed:
            self._call(event.strand, _name(event.strand, headers) if headers else "")
        return self._release(all_of_it=False)

    def take(self, event: StrandData | StrandReset) -> list[Piece]:
        """Bytes of a strand, or its end. The server's keep their order: one that waits lets the next ones wait."""
        if event.direction is Direction.OUT and event.strand in self._names:
            return self._pieces(event)
        self._pending.append(event)
        self._pending_size += _size(event)
        over = self._pending_size > PENDING_LIMIT or len(self._pending) > PENDING_EVENTS
        return self._release(all_of_it=self.blind or over)

    def settle(self) -> list[Piece]:
        """No opening will come any more for what waits."""
        return self._release(all_of_it=True)

    def _release(self, all_of_it: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while self._pending and (all_of_it or self._pending[0].strand in self._names):
            event = self._pending.popleft()
            self._pending_size -= _size(event)
            if event.strand not in self._names:
                self._call(event.strand, "")
            pieces += self._pieces(event)
        return pieces

    def _call(self, strand: int, name: str) -> None:
        if len(self._names) >= STRAND_LIMIT:
            self._forget(next(iter(self._names)))
        self._names[strand] = name or self._guess(strand)
        (self._guessed.discard if name else self._guessed.add)(strand)

    def _guess(self, strand: int) -> str:
        index, even = divmod(strand - 1, 2)
        if even:
            return "unknown"
        if self._asked.purpose is Purpose.PORTS:
            return f"port/?/{index // 2}" + ("" if index % 2 else "/error")
        streams = self._asked.streams if self._asked.purpose is Purpose.COMMAND else ()
        return streams[index] if index < len(streams) else "unknown"

    def _pieces(self, event: StrandData | StrandReset) -> list[Piece]:
        name = self._names[event.strand]
        if isinstance(event, StrandReset):
            return self._command.error_over() if name == "error" else []
        content = Content(event, bytes(event.data), (NAMED_BY_NUMBER,) if event.strand in self._guessed else ())
        if event.end:
            self._end(event)
        if name in _COMMAND:
            return self._command.named(name, content, event.end)
        return [text(name, content)] if content.data else []

    def _end(self, event: StrandData) -> None:
        self._ended.add((event.strand, event.direction))
        if all((event.strand, direction) in self._ended for direction in Direction):
            self._forget(event.strand)

    def _forget(self, strand: int) -> None:
        self._names.pop(strand)
        self._guessed.discard(strand)
        self._ended -= {(strand, direction) for direction in Direction}


def _size(event: StrandData | StrandReset) -> int:
    return len(event.data) if isinstance(event, StrandData) else 0


def _name(strand: int, headers: dict[str, str]) -> str:
    kind, port = headers.get("streamtype", ""), headers.get("port", "")
    if not port:
        return kind if kind in _COMMAND else "unknown"
    if not (port.isascii() and port.isdigit() and kind in ("data", "error")):
        return "unknown"
    return f"port/{int(port[:5])}/{_connection(strand, kind, headers.get('requestid', ''))}" + ("/error" if kind == "error" else "")


def _connection(strand: int, kind: str, request: str) -> int:
    """The requestid counts connections; older clients have none and open error and data one behind the other."""
    if request.isascii() and request.isdigit() and len(request) < 10:
        return int(request)
    return (strand - (1 if kind == "error" else 3)) // 4
