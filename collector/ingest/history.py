"""What changed in policies, between what was known and what there is: with author and difference. Pure.

A collector that begins compares with what the last one knew: what was changed while none ran is a change too.
"""

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chaperone.collector.ingest.policies import Source
from chaperone.collector.times import rfc3339

LINES = 2_000  # of a difference


class What(StrEnum):
    """What became of a source."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """`source`: a file or an object; `text`: what it is now, `difference`: lines as of diff -u. `problem`: of one that was refused."""

    time: int
    source: str
    what: What
    author: str
    policies: tuple[str, ...] = ()
    text: str = ""
    difference: tuple[str, ...] = ()
    problem: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        key = "\0".join((self.source, str(self.time), self.what))
        id_ = hashlib.blake2b(key.encode(errors="replace"), digest_size=16).hexdigest()
        found = {"id": id_, "time": rfc3339(self.time), "source": self.source, "what": str(self.what), "author": self.author}
        return found | {"policies": [*self.policies], "text": self.text, "difference": [*self.difference], "problem": self.problem}


class History:
    """`known`: texts by source, masked; `mask` makes them."""

    def __init__(self, known: Mapping[str, str], mask: Callable[[str], str]) -> None:
        self._known, self._mask, self._refused = dict(known), mask, dict[str, str]()

    def changes(self, now: Mapping[str, Source], time: int) -> list[Change]:
        """Since the last call."""
        found = [change for name, source in sorted(now.items()) if (change := self._change(name, source, time))]
        for name in sorted(self._known.keys() - now.keys()):
            difference = _difference(self._known.pop(name), "", name)
            found.append(Change(time, name, What.REMOVED, "unknown", difference=difference))
        return found

    def refusals(self, now: Mapping[str, str], time: int) -> list[Change]:
        """Each problem of a source once."""
        new = {name: self._mask(why) for name, why in now.items() if why != self._refused.get(name)}
        self._refused = dict(now)
        return [Change(time, name, What.REFUSED, "unknown", problem=why) for name, why in sorted(new.items())]

    def _change(self, name: str, source: Source, time: int) -> Change | None:
        text, before = self._mask(source.text), self._known.get(name)
        if text == before:
            return None
        self._known[name] = text
        what = What.ADDED if before is None else What.CHANGED
        return Change(time, name, what, self._mask(source.author), source.policies, text, _difference(before or "", text, name))


def _difference(before: str, after: str, name: str) -> tuple[str, ...]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=2)
    return tuple(line for line, _ in zip(lines, range(LINES), strict=False))
