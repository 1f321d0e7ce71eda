"""What is masked besides what always is: patterns, places in objects, and which of the built-in ways are switched off.

Always masked, whatever a file says: the values of Secrets, tokens that are asked for, `Authorization`, cookies and their like.
"""

from dataclasses import dataclass, field

import re2

from chaperone.collector.mask.patterns import PATTERNS, Pattern, compiled, matches_any

# The built-in ways that are no pattern of text.
WAYS = {
    "names": "values whose name promises a secret: env vars, keys of ConfigMaps, fields, labels",
    "arguments": "arguments of command lines: --token x, mysql -px, curl -u user:x",
    "manifest": "data of Secrets' manifests inside texts, as kubectl prints them",
    "known": "values of Secrets wherever they appear later in a session, in any encoding",
}
BUILT_INS = {pattern.name: "texts that look so" for pattern in PATTERNS} | WAYS


@dataclass(frozen=True, slots=True)
class Field:
    """A place in objects: keys from the object's root, `*` for any key. Lists are gone through. `kind`: "" for any."""

    path: tuple[str, ...]
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Masking:
    """What one installation masks. `own`: there are patterns that are not ours, of which a first glance knows nothing."""

    patterns: tuple[Pattern, ...] = PATTERNS
    fields: tuple[Field, ...] = ()
    off: frozenset[str] = field(default_factory=frozenset)

    @property
    def own(self) -> bool:
        """Whether there are patterns besides ours."""
        return any(pattern not in PATTERNS for pattern in self.patterns)


BUILT_IN = Masking()


def joined(maskings: list[Masking]) -> Masking:
    """All of them together: what one switches off is off."""
    off = frozenset[str]().union(*(masking.off for masking in maskings))
    own = tuple(pattern for masking in maskings for pattern in masking.patterns if pattern not in PATTERNS)
    ours = tuple(pattern for pattern in PATTERNS if pattern.name not in off)
    return Masking((*own, *ours), tuple(place for masking in maskings for place in masking.fields), off)


def problem_of(expression: bytes) -> str:
    """Why this is no pattern to mask by; "" when it is."""
    try:
        pattern = compiled(expression)
        matches_any((Pattern("", expression),))
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return "it matches where there is nothing" if pattern.search(b"") else ""
