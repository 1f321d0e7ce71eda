"""The secrets that a session has seen: found again wherever they appear, in every form, all in one pass (Aho-Corasick).

What is new is gathered and made into an automaton when something is next searched; automata of like size are joined, so that
a value is built in a bounded number of times however the secrets come, and few automata are searched. At most MOST values
and MOST_BYTES are known: past that the oldest are forgotten, which is counted. Values are unmasked: in memory and sealed only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from chaperone.collector.mask.forms import forms
from chaperone.collector.mask.worth import SHORTEST

MOST = 4096  # values
MOST_BYTES = 256 << 10
SEGMENT = 256  # values that are saved together
_GROWTH = 4  # an automaton is joined with one that is not so many times its size

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a secret was seen first: which it is (`namespace/name:key`), in which call, and when."""

    secret: str = ""
    call: str = ""
    time: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A known value in a text."""

    start: int
    stop: int
    value: bytes = field(repr=False)


@dataclass(slots=True)
class _Level:
    values: list[bytes]
    found: list[bytes]  # the forms, as the automaton numbers them
    automaton: BytesAhoCorasick


class Known:
    """Of one session, shared by the gates of all its streams. `generation` tells that something new is known."""

    def __init__(self) -> None:
        self.generation = 0
        self.forgotten = 0
        self._origins: dict[bytes, Origin] = {}
        self._bytes = 0
        self._first = 0  # the number of the oldest value that is known
        self._new: list[bytes] = []
        self._levels: list[_Level] = []
        self._by_form: dict[bytes, bytes] = {}
        self._unsaved: set[int] = set()

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, value: bytes, origin: Origin) -> None:
        """Know a value that counts (`worth.parts`)."""
        if value in self._origins:
            return
        self._unsaved.add((self._first + len(self._origins)) // SEGMENT)
        self._origins[value] = origin
        self._bytes += len(value)
        self._new.append(value)
        self.generation += 1
        if len(self._origins) > MOST or self._bytes > MOST_BYTES:
            self._forget()

    def origin(self, value: bytes) -> Origin:
        """Where a known value was seen first."""
        return self._origins.get(value, Origin())

    def value_of(self, form: bytes) -> bytes | None:
        """The value that is written so."""
        return self._by_form.get(form)

    def hits(self, text: bytes) -> Iterator[Hit]:
        """Known values in a text, of each automaton in order."""
        if self._new:
            self._build(self._new)
            self._new = []
        for level in self._levels:
            for index, start, stop in level.automaton.find_matches_as_indexes(text):
                yield Hit(start, stop, self._by_form[level.found[index]])

    def spans(self, text: bytes) -> list[Span]:
        """Where known values are."""
        return [(hit.start, hit.stop) for hit in self.hits(text)] if self._origins else []

    def __contains__(self, text: bytes) -> bool:
        return bool(self._origins) and next(self.hits(text), None) is not None

    def saved(self) -> dict[int, list[Any] | None]:
        """Segments that changed since the last call, of msgpack types; None: nothing of it is known any more."""
        values = list(self._origins.items())
        unsaved, self._unsaved = self._unsaved, set()
        return {number: self._segment(number, values) for number in sorted(unsaved)}

    def go_on(self, segments: dict[int, list[Any]]) -> None:
        """Know what was saved."""
        self._first = min(segments, default=0) * SEGMENT
        for number in sorted(segments):
            for value, secret, call, time in segments[number]:
                self.add(value, Origin(secret, call, time))
        self._unsaved.update(segments)  # they are numbered anew

    def _segment(self, number: int, values: list[tuple[bytes, Origin]]) -> list[Any] | None:
        start = number * SEGMENT - self._first
        found = values[max(0, start) : max(0, start + SEGMENT)]
        return [[value, origin.secret, origin.call, origin.time] for value, origin in found] or None

    def _build(self, values: list[bytes]) -> None:
        while self._levels and len(self._levels[-1].values) <= _GROWTH * len(values):
            values = self._levels.pop().values + values
        by_form = {form: value for value in reversed(values) for form in forms(value, SHORTEST)}
        self._by_form |= {form: value for form, value in by_form.items() if form not in self._by_form}
        found = list(by_form)
        self._levels.append(_Level(values, found, BytesAhoCorasick(found, MatchKind.LeftmostLongest)))

    def _forget(self) -> None:
        """The oldest quarter, in whole segments where there are so many."""
        count = max(1, len(self._origins) // 4)
        count -= (self._first + count) % SEGMENT if count > SEGMENT else 0
        for value in list(self._origins)[:count]:
            del self._origins[value]
            self._bytes -= len(value)
        self._unsaved.update(range(self._first // SEGMENT, (self._first + count) // SEGMENT + 1))
        self._first += count
        self.forgotten += count
        self._levels, self._by_form, self._new = [], {}, list(self._origins)
