"""One answer in which secrets are replaced: where its body's bytes are on the stream, and which of them are secret.

The body may come in pieces: chunks, frames. A secret that goes over several is replaced in each of them.
"""

from collections import deque
from dataclasses import dataclass

from chaperone.collector.wire.compose.spans import Scanner, Scanners, Span, templates
from chaperone.collector.wire.compose.units import FAR, Edit
from chaperone.collector.wire.events import Data, Response

IDENTITY = ("", "identity")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Body bytes from `begin` to `end` that lie at `position` of the stream."""

    begin: int
    end: int
    position: int


class MaskedAnswer:
    """From its head on. `problem`: why it cannot be delivered."""

    def __init__(self, scanners: Scanners) -> None:
        self._scanners = scanners
        self._scanner: Scanner | None = None
        self._pieces: deque[_Piece] = deque()
        self._size = 0
        self.is_over = False  # nothing more is looked for
        self.edits: list[Edit] = []
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why it cannot be delivered; "" while it can."""
        return self._problem or (self._scanner.problem if self._scanner else "")

    @property
    def settled(self) -> int:
        """All of the stream before this position is known; FAR where that is all that is here."""
        if self._scanner is None or self.is_over:
            return FAR
        known = self._scanner.settled
        while self._pieces and self._pieces[0].end <= known:
            self._pieces.popleft()
        return self._pieces[0].position + max(0, known - self._pieces[0].begin) if self._pieces else FAR

    def head(self, response: Response) -> None:
        """Its head is here. An error has no secrets."""
        headers = dict(response.headers)
        if response.status is None or not 200 <= response.status < 300:
            self.is_over = True
        elif (headers.get("content-encoding") or "").strip().lower() not in IDENTITY:
            self._problem = "it is compressed"
        else:
            self._scanner = self._scanners(headers.get("content-type") or "")

    def data(self, event: Data) -> None:
        """Bytes of its body."""
        if self._scanner is None or self.is_over:
            return
        self._pieces.append(_Piece(self._size, self._size + len(event.data), event.position))
        self._size += len(event.data)
        self._add(self._scanner.feed(bytes(event.data)))

    def end(self) -> None:
        """That was all of it."""
        if self._scanner is not None and not self.is_over:
            self._add(self._scanner.finish())
        self.is_over = True

    def taken(self, end: int) -> tuple[Edit, ...]:
        """The edits before a position: each is asked for once."""
        found = tuple(edit for edit in self.edits if edit.begin < end)
        self.edits = self.edits[len(found) :]
        return found

    def _add(self, spans: list[Span]) -> None:
        for span in spans:
            for piece in self._pieces:
                begin, end = max(span.begin, piece.begin), min(span.end, piece.end)
                if begin < end:
                    shift = piece.position - piece.begin
                    self.edits += [Edit(first + shift, last + shift, template) for first, last, template in templates(span, begin, end)]
        self.edits.sort(key=lambda edit: edit.begin)
