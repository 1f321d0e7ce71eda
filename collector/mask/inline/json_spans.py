"""Secret strings of JSON as it comes: of an object, a list, or a stream of watch events.

Keys say what is secret: all strings below `data` of a Secret are, and a copy of the whole object in an annotation. A string is known
once its end is here. Nothing is taken apart but strings and brackets: whatever else is there, numbers and literals, stays.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from chaperone.collector.mask.patterns import compiled
from chaperone.collector.wire.compose.spans import Fill, Span

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
DEEPEST = 256
LIMIT = 3 * 1024 * 1024  # bytes of one string; a Secret has at most 1 MiB
BASE64 = compiled(rb"[A-Za-z0-9+/]*={0,2}")

_TOKEN = re.compile(rb'["{}\[\],:]')
_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


@dataclass(slots=True)
class _Level:
    """An object or an array that is open. `fill`: all strings below are secret."""

    is_object: bool
    fill: Fill | None
    key: str = ""
    wants_key: bool = True


class JsonSpans:
    """A wire.compose.spans.Scanner. `fields`: by key what the strings below are filled with; `named`: keys of strings that are secret."""

    def __init__(self, fields: Mapping[str, Fill], named: Collection[str] = ()) -> None:
        self._fields, self._named = fields, frozenset((APPLIED, *named))
        self.problem = ""
        self.settled = 0
        self._held = bytearray()
        self._levels: list[_Level] = []

    def feed(self, data: bytes) -> list[Span]:
        """The next bytes."""
        self._held += data
        found: list[Span] = []
        at = 0
        while not self.problem and (token := _TOKEN.search(self._held, at)):
            if token.group() != b'"':
                at = token.end()
                self._structure(token.group())
            elif end := _END.match(self._held, token.end()):
                at = end.end()
                found += self._string(token.start() + 1, end.end() - 1)
            else:
                self._settle(token.start())
                return found
        self._settle(len(self._held))
        return found

    def finish(self) -> list[Span]:
        """A string without an end is no answer of an apiserver."""
        if self._held or self._levels:
            self.problem = self.problem or "it ends too early"
        return []

    def _settle(self, size: int) -> None:
        self.settled += size
        del self._held[:size]
        if len(self._held) > LIMIT:
            self.problem = f"a string of over {LIMIT} bytes"

    def _structure(self, sign: bytes) -> None:
        levels = self._levels
        if sign in b"{[":
            levels.append(_Level(sign == b"{", self._fill()))
            self.problem = "it is too deep" if len(levels) > DEEPEST else ""
        elif not levels:
            self.problem = "it is no JSON"
        elif sign in b"}]":
            levels.pop()
        elif sign == b":":
            levels[-1].wants_key = False
        else:
            levels[-1].wants_key = True

    def _fill(self) -> Fill | None:
        """Of the value that comes now."""
        if not self._levels:
            return None
        level = self._levels[-1]
        return level.fill or (self._fields.get(level.key) if level.is_object else None)

    def _string(self, begin: int, end: int) -> list[Span]:
        level = self._levels[-1] if self._levels else None
        raw = bytes(self._held[begin:end])
        if level and level.is_object and level.wants_key:
            level.key = _text(raw)
            return []
        fill = level.fill if level else None
        if level and level.is_object and level.key in self._named:
            fill = Fill.STARS
        return self._span(raw, begin, fill) if fill and raw else []

    def _span(self, raw: bytes, begin: int, fill: Fill) -> list[Span]:
        if fill is Fill.BASE64 and (len(raw) % 4 or not BASE64.fullmatch(raw)):
            self.problem = "a value that is no base64"
            return []
        padding = len(raw) - len(raw.rstrip(b"="))
        return [Span(self.settled + begin, self.settled + begin + len(raw), fill, padding)]


def _text(raw: bytes) -> str:
    """A key; one with escapes as they mean it."""
    try:
        return str(json.loads(b'"%s"' % raw)) if b"\\" in raw else raw.decode(errors="replace")
    except ValueError:
        return ""
