"""A large JSON list of objects, left as it came and read a window of items at a time.

Only both ends are looked at first: they say the kind. Where one item ends and the next begins is guessed by how the first
one begins, and proven by parsing: a window is taken only when it is whole JSON values with commas between. JSON that is
laid out with white space, or that no guess fits, is not read in this way (UnreadableError).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chaperone.collector.kube.forms.json_text import LARGE, parse_json
from chaperone.collector.kube.forms.parsed import UnreadableError

WINDOW = 32 * 1024  # parsed at once: what it makes stays in the processor's cache, and in the collector's youngest generation
WIDEST = 16 * 1024 * 1024  # an item over this is not looked for
_END = 16 * 1024  # bytes of either end in which kind and key must be
_GUESSES = 4
_OPENING = re.compile(rb'"(items|rows)":\[(\{"[^"\\]{1,64}":)')
_CLOSING = re.compile(rb'\}\],"kind":"([A-Za-z0-9]+)","metadata":\{[^{}]*\}\}\s*$')
Part = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Window:
    """Some items: which, does not depend on the parts.

    `raw`: the body's own bytes, with the comma behind. `text`: the same in one piece, made an object of its own. `value`:
    that object, whose other keys are what follows the list (`last`).
    """

    raw: list[Part]
    text: bytes
    value: dict[str, Any]
    last: bool


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """The list. `opening`: all before its first item; `shell`: what that says; `kind` and `api_version` as far as the ends say."""

    parts: tuple[Part, ...]
    opening: bytes
    shell: dict[str, Any]
    key: str
    border: bytes
    kind: str
    api_version: str

    def __repr__(self) -> str:
        """Without contents."""
        return f"Many({self.kind})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Many) and self.joined() == other.joined()

    __hash__ = None  # type: ignore[assignment]

    def joined(self) -> bytes:
        """The whole body in one piece."""
        return b"".join(self.parts)

    def windows(self) -> Iterator[Window]:
        """All items in order. UnreadableError where they cannot be told apart, or one of them is in doubt."""
        waiting: list[Part] = []
        size, wanted = 0, WINDOW
        for part in _split(list(self.parts), len(self.opening))[1]:
            waiting.append(part)
            size += len(part)
            while size >= wanted:
                found, waiting = self._cut(waiting, wanted)
                size, wanted = sum(map(len, waiting)), WINDOW if found else _wider(wanted)
                if found:
                    yield found.pop()  # not kept: the next one is parsed into the same memory
        yield self._last(waiting)

    def _cut(self, waiting: list[Part], most: int) -> tuple[list[Window], list[Part]]:
        """The window up to a border between items within `most` bytes, if there is one, and the rest."""
        text = b"".join(_split(waiting, most)[0])
        cut = len(text)
        for _ in range(_GUESSES):
            cut = text.rfind(self.border, 0, cut)
            if cut < 0:
                break
            whole = b'{"%b":[%b]}' % (self.key.encode(), text[: cut + 1])
            if (value := _sure(whole)) is not None:
                raw, rest = _split(waiting, cut + 2)
                return [Window(raw, whole, value, last=False)], rest
        return [], waiting

    def _last(self, raw: list[Part]) -> Window:
        whole = b'{"%b":[%b' % (self.key.encode(), b"".join(raw))
        value = _sure(whole)
        if value is None or next(iter(value)) != self.key or any(key in self.shell for key in value):
            raise UnreadableError("a list whose end does not fit its beginning")
        return Window(raw, whole, value, last=True)

    def written(self, window: Window, items: list[Any]) -> bytes:
        """The window's text with other items in it."""
        text = orjson.dumps({**window.value, self.key: items}, option=orjson.OPT_NON_STR_KEYS)
        start = len(self.key) + len('{"":[')
        if not window.last:
            return text[start:-2] + b","
        return text[start:] + (b"\n" if window.text.endswith(b"\n") else b"")


def many(parts: Sequence[Part]) -> Many | None:
    """A list of objects in these parts of a body, by its two ends; None for anything else."""
    head, tail = _head(parts), _tail(parts)
    found = _OPENING.search(head)
    shell = _sure(head[: found.start(2)] + b"]}") if found else None
    if found is None or shell is None:
        return None
    key = found[1].decode()
    if next(reversed(shell)) != key or shell.pop(key) != []:
        return None
    closing = _CLOSING.search(tail)
    kind, version = shell.get("kind", closing[1].decode() if closing else ""), shell.get("apiVersion", "")
    if not (isinstance(kind, str) and isinstance(version, str)) or not (kind.endswith("List") or kind == "Table"):
        return None
    return Many(tuple(parts), head[: found.start(2)], shell, key, b"}," + found[2], kind, version)


def is_large(size: int) -> bool:
    """Is a body of this size worth the trouble?"""
    return size >= LARGE


def _sure(text: bytes) -> dict[str, Any] | None:
    """An object that every reader understands in the same way."""
    try:
        parsed = parse_json(text)
    except UnreadableError:
        return None
    return parsed.value if isinstance(parsed.value, dict) and not parsed.doubts else None


def _wider(size: int) -> int:
    if size > WIDEST:
        raise UnreadableError(f"no end of an item within {WIDEST} bytes")
    return 2 * size


def _head(parts: Sequence[Part]) -> bytes:
    taken, size = [], 0
    for part in parts:
        taken.append(part[:_END])
        size += len(part)
        if size >= _END:
            break
    return b"".join(taken)[:_END]


def _tail(parts: Sequence[Part]) -> bytes:
    taken, size = [], 0
    for part in reversed(parts):
        taken.append(part[-_END:])
        size += len(part)
        if size >= _END:
            break
    return b"".join(reversed(taken))[-_END:]


def _split(parts: list[Part], size: int) -> tuple[list[Part], list[Part]]:
    """The first `size` bytes, and the rest, uncopied."""
    for index, part in enumerate(parts):
        if size < len(part):
            view = memoryview(part)
            return [*parts[:index], view[:size]] if size else parts[:index], [view[size:], *parts[index + 1 :]]
        size -= len(part)
    return parts, []
