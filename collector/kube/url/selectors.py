"""Field and label selectors as the apiserver parses them: what they name, and whether it refuses them.

Sources: apimachinery pkg/fields/selector.go (splitTerms, splitTerm, UnescapeValue), pkg/labels/selector.go (Parse, Lexer,
NewRequirement), pkg/util/validation (IsQualifiedName, IsValidLabelValue).
"""

import re
from collections.abc import Iterator

TOKEN_LIMIT = 20_000  # of a label selector; a target holds less than 1 MiB

_TERMS = re.compile(r"(?:\\.|[^,\\])+", re.DOTALL)
_OPERATOR = re.compile(r"!=|==|=")
_VALUE = re.compile(r"(?:[^\\,=]|\\[\\,=])*\Z")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^\x00 \t\r\n=!(),<>]+)|(\x00|\Z))")
_KEY = re.compile(r"(?:([^/]*)/)?([A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_WORDS = ("in", "notin")

Token = tuple[str, str]  # (kind, text): kind is the operator itself, "id", or "" at the end


class BadSelectorError(ValueError):
    """The apiserver refuses this selector."""


def field_terms(selector: str) -> list[tuple[str, str]]:
    """(field, value) of each `=` or `==` term, in the sorted order in which the apiserver looks for a name."""
    if (len(selector) - len(selector.rstrip("\\"))) % 2:
        raise BadSelectorError("a lone backslash at the end")
    terms = sorted(_TERMS.findall(selector), key=lambda term: term.encode("utf-8", "surrogatepass"))
    parsed = [_field_term(term) for term in terms]
    return [(field, value) for field, operator, value in parsed if operator != "!="]


def _field_term(term: str) -> tuple[str, str, str]:
    operator = _OPERATOR.search(term)
    if not operator:
        raise BadSelectorError("a term without operator")
    value = term[operator.end() :]
    if not _VALUE.match(value):
        raise BadSelectorError("a value with an unescaped character")
    return term[: operator.start()], operator[0], _ESCAPED.sub(r"\1", value)


def check_labels(selector: str) -> None:
    """Raise BadSelectorError where labels.Parse would fail."""
    tokens = list(_tokens(selector))
    position = 0
    while tokens[position][0]:
        position = _requirement(tokens, position)
        kind = tokens[position][0]
        if kind == ",":
            position += 1
            if tokens[position][0] not in ("id", "!"):
                raise BadSelectorError("a comma without a term behind it")
        elif kind:
            raise BadSelectorError("a term that does not end")


def _tokens(selector: str) -> Iterator[Token]:
    position = 0
    for _ in range(TOKEN_LIMIT):
        found = _TOKEN.match(selector, position)
        if found is None or found[3] is not None:
            break
        position = found.end()
        yield ("id", found[2]) if found[2] is not None else (found[1], found[1])
    yield "", ""


def _requirement(tokens: list[Token], position: int) -> int:
    """One term from `position`; the position behind it."""
    negated = tokens[position][0] == "!"
    position += negated
    kind, key = tokens[position]
    if kind != "id":
        raise BadSelectorError("a term without key")
    _check_key(key)
    operator, word = tokens[position + 1]
    if negated or operator in ("", ","):
        return position + 1
    if word in _WORDS:
        return _set(tokens, position + 2)
    if operator not in ("=", "==", "!=", "<", ">"):
        raise BadSelectorError("a key without operator")
    return _exact(tokens, position + 2, operator)


def _exact(tokens: list[Token], position: int, operator: str) -> int:
    kind, value = tokens[position]
    empty = kind in ("", ",")
    if not empty and kind != "id":
        raise BadSelectorError("an operator without value")
    if operator in "<>" and not _INTEGER.match("" if empty else value):
        raise BadSelectorError("a comparison with no number")
    _check_label("" if empty else value)
    return position + (not empty)


def _set(tokens: list[Token], position: int) -> int:
    """`(a, b)` from its parenthesis; empty values count."""
    if tokens[position][0] != "(":
        raise BadSelectorError("a set without parenthesis")
    previous = ","
    for at in range(position + 1, len(tokens)):
        kind, value = tokens[at]
        if kind == ")":
            return at + 1
        if kind not in ("id", ",") or (kind == "id" and previous == "id"):
            raise BadSelectorError("a set with something else in it")
        _check_label(value if kind == "id" else "")
        previous = kind
    raise BadSelectorError("a set without end")


def _check_key(key: str) -> None:
    parts = _KEY.match(key)
    if not parts or (parts[1] is not None and not (_SUBDOMAIN.match(parts[1]) and len(parts[1]) <= 253)):
        raise BadSelectorError("no qualified name")


def _check_label(value: str) -> None:
    if not _LABEL.match(value):
        raise BadSelectorError("no label value")
