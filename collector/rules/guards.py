"""What must hold for a condition to hold, as far as a glance at its text tells: most ask first for one resource or a few verbs.

`call.resource == "pods" && …` is false for secrets whatever the rest says or fails at (CEL: false && error is false), so CEL need not be
asked. Only conjuncts of the whole condition that compare a text word with literal texts are taken; whatever else is there is left
to CEL.
"""

import re
from collections.abc import Iterator

Guard = tuple[str, frozenset[str]]  # a word, and the values it must have one of
_TEXT = r'"[^"\\\n]*"|\'[^\'\\\n]*\''
_PART = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"|(?P<comment>//[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<and>&&)|(?P<other>\|\||\?)|(?P<rest>.)",
    re.DOTALL,
)
_EQUAL = re.compile(rf"\s*(?P<word>[A-Za-z]+\.[A-Za-z]+)\s*==\s*(?P<value>{_TEXT})\s*")
_AMONG = re.compile(rf"\s*(?P<word>[A-Za-z]+\.[A-Za-z]+)\s+in\s+\[\s*(?P<values>(?:{_TEXT})(?:\s*,\s*(?:{_TEXT}))*)\s*\]\s*")
DEPTH = 20


def guards(whole: str, text_words: frozenset[str]) -> tuple[Guard, ...]:
    """The guards of a condition, macros put in. `text_words`: words whose values are texts."""
    return tuple(guard for guard in _found(whole, DEPTH) if guard[0] in text_words)


def _found(text: str, depth: int) -> Iterator[Guard]:
    for part in _conjuncts(text):
        if depth and (inside := _unwrapped(part)) is not None:
            yield from _found(inside, depth - 1)
        elif equal := _EQUAL.fullmatch(part):
            yield equal["word"], frozenset({equal["value"][1:-1]})
        elif among := _AMONG.fullmatch(part):
            yield among["word"], frozenset(value[1:-1] for value in re.findall(_TEXT, among["values"]))


def _conjuncts(text: str) -> list[str]:
    """The parts between && that are in no brackets, without comments; none where anything binds weaker."""
    found, depth = [""], 0
    for part in _PART.finditer(text):
        kind = part.lastgroup
        depth += (kind == "open") - (kind == "close")
        if kind == "other" and depth == 0:
            return []
        if kind == "and" and depth == 0:
            found.append("")
        elif kind != "comment":
            found[-1] += part[0]
    return found


def _unwrapped(text: str) -> str | None:
    """What is between brackets that are around all of it."""
    text, depth = text.strip(), 0
    if not (text.startswith("(") and text.endswith(")")):
        return None
    for part in _PART.finditer(text):
        depth += (part.lastgroup == "open") - (part.lastgroup == "close")
        if depth == 0 and part.end() < len(text):
            return None
    return text[1:-1]
