"""One channel's text as it comes, piece by piece: a secret may be cut anywhere, so the end of what came is held back.

The rule: what is given out ends behind a line break (LF, CR or NUL). The unfinished line is held until a later piece ends it,
until it passes HELD bytes (then it is cut between words, or, inside one secret, that secret is replaced in parts), or until
the channel is over. What was given out stays known for BEHIND bytes, so a key's later lines are recognised by its first.
"""

from typing import Any

from chaperone.collector.mask.forms import LONGEST
from chaperone.collector.mask.patterns import compiled
from chaperone.collector.mask.text import Span, Texts

HELD = 16 << 10
BEHIND = 8 << 10

_LINE_ENDS = (b"\n", b"\r", b"\0")
_WORD_ENDS = (b" ", b"\t", b'"', b"'", b",", b"&", b";")
_END_OF_SECRET = compiled(rb"[\s\"'\0]|-----END")
_ASKS = compiled(rb"(?i)\b(?:password|passphrase|passcode|token|secret|api key|pin)\b[^\r\n\0:]{0,80}:[ \t]*")


class Tail:
    """What one channel holds back and remembers."""

    __slots__ = ("_answering", "_behind", "_held", "_inside", "_texts")

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._behind = b""
        self._held = b""
        self._inside = False
        self._answering = False

    def saved(self) -> list[Any]:
        """What is held back and remembered, unmasked: it goes into sealed Marks only."""
        return [self._behind, self._held, self._inside, self._answering]

    def go_on(self, saved: list[Any]) -> None:
        """Continue where another was saved."""
        self._behind, self._held, self._inside, self._answering = saved

    def feed(self, data: bytes, final: bool = False) -> bytes:
        """The masked text that these bytes make safe to give out; with `final` all of it."""
        done = b""
        text = self._held + data
        if self._answering:
            done, text, self._held, self._answering = self._texts.replaced(text, [(0, len(text))]), b"", b"", False
        if self._inside:
            done, text = self._rest_of_secret(text)
        spans = self._spans(text)
        cut = len(text) if final else self._cut(text, spans)
        return done + self._given_out(text, cut, spans)

    def swallow(self, data: bytes) -> bytes:
        """As `feed`, for an answer to a question for a password: all up to the end of its line is the secret."""
        text = self._held + data
        end = min((at for at in map(text.find, (b"\n", b"\r")) if at >= 0), default=len(text))
        self._answering = end == len(text)
        if self._answering and end <= HELD:
            self._held = text
            return b""
        self._held = b""
        return self._texts.replaced(text[:end], [(0, end)]) + self.feed(text[end:])

    def held_back(self) -> bytes:
        """What is held back, masked as if nothing came behind it."""
        if self._answering:
            return self._texts.replaced(self._held, [(0, len(self._held))])
        return self._texts.replaced(self._held, self._spans(self._held))

    @property
    def asks(self) -> bool:
        """Whether the unfinished line asks for a password."""
        start = max(0, len(self._held) - 200)
        return any(match.end() == len(self._held) for match in _ASKS.finditer(self._held, start))

    def _rest_of_secret(self, text: bytes) -> tuple[bytes, bytes]:
        end = _END_OF_SECRET.search(text)
        self._inside = end is None
        stop = end.start() if end else len(text)
        self._held = b""
        return self._texts.replaced(text[:stop], [(0, stop)]), text[stop:]

    def _spans(self, text: bytes) -> list[Span]:
        """Secrets in the text, those included that began before it."""
        behind = len(self._behind)
        found = self._texts.spans(self._behind + text)
        return [(max(0, start - behind), stop - behind) for start, stop in found if stop > behind]

    def _cut(self, text: bytes, spans: list[Span]) -> int:
        """How much is given out: whole lines, or of a line that is too long what cannot be part of an open secret."""
        cut = max(text.rfind(end, 0, len(text) - 1 if end == b"\r" else len(text)) for end in _LINE_ENDS) + 1
        if len(text) - cut <= HELD:
            return _outside(cut, spans)
        if spans and spans[-1][1] >= len(text) - len(b"-----END"):
            self._inside = len(text) - spans[-1][0] > HELD
            return len(text) if self._inside else spans[-1][0]
        floor = len(text) - HELD // 2
        last = len(text) - LONGEST  # behind it may stand the first part of a secret that is known
        return _outside(max(floor, *(text.rfind(end, floor, last) + 1 for end in _WORD_ENDS)), spans)

    def _given_out(self, text: bytes, cut: int, spans: list[Span]) -> bytes:
        given, self._held = text[:cut], text[cut:]
        self._behind = (self._behind + given)[-BEHIND:]
        return self._texts.replaced(given, [(start, min(stop, cut)) for start, stop in spans if start < cut])


def _outside(cut: int, spans: list[Span]) -> int:
    """A cut inside a secret that is known whole moves before it, unless the secret is all there is to give."""
    for start, stop in spans:
        if start < cut < stop and stop - start <= BEHIND:
            return start
    return cut
