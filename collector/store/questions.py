"""The parameters of a named question: a JSON object → checked values, each bound, none pasted into a statement."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chaperone.collector.parameters import QuestionError, object_in
from chaperone.collector.store.engine import Parameter

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_ID = re.compile(r"[0-9a-f]{1,32}")
ROW_LIMIT = 100_000
WALL_SINCE = ("time", "time >= parseDateTime64BestEffort({since:String}, 9, 'UTC')")  # a filter by the wall clock: its kind, its condition


def parameters_in(text: str, allowed: frozenset[str]) -> dict[str, Any]:
    """The parameters of a question that knows `allowed`. Null is as good as absent."""
    found = object_in(text)
    if unknown := set(found) - allowed:
        raise QuestionError(f"no parameter is called {min(unknown)!r}; there are {', '.join(sorted(allowed)) or 'none'}")
    return {key: value for key, value in found.items() if value is not None}


def text(parameters: Mapping[str, Any], key: str) -> str:
    """A text."""
    value = parameters[key]
    if not isinstance(value, str):
        raise QuestionError(f"{key} must be a text")
    return value


def time(parameters: Mapping[str, Any], key: str) -> str:
    """An RFC 3339 time in UTC."""
    value = text(parameters, key)
    if not _TIME.fullmatch(value):
        raise QuestionError(f"{key} must be a time like 2026-01-02T03:04:05Z")
    return value


def identifier(parameters: Mapping[str, Any], key: str) -> str:
    """An id or the beginning of one."""
    value = text(parameters, key)
    if not _ID.fullmatch(value):
        raise QuestionError(f"{key} must be an id: up to 32 hex digits")
    return value


def number(parameters: Mapping[str, Any], key: str, highest: int = 2**63 - 1) -> int:
    """A whole number from 0 to `highest`."""
    value = parameters[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise QuestionError(f"{key} must be a whole number from 0 to {highest}")
    return value


def row_limit(parameters: Mapping[str, Any], default: int) -> int:
    """How many rows at the most: `limit`, as far as we answer."""
    return number(parameters, "limit", ROW_LIMIT) if "limit" in parameters else default


def flag(parameters: Mapping[str, Any], key: str) -> bool:
    """True or false; absent is false."""
    value = parameters.get(key, False)
    if not isinstance(value, bool):
        raise QuestionError(f"{key} must be true or false")
    return value


def names(parameters: Mapping[str, Any], key: str, most: int) -> list[str]:
    """A list of texts; absent is empty."""
    value = parameters.get(key, [])
    if not isinstance(value, list) or len(value) > most or not all(isinstance(item, str) for item in value):
        raise QuestionError(f"{key} must be a list of at most {most} texts")
    return value


def bound(parameters: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Parameter]:
    """The given parameters among `kinds`, checked by their kind: text, time, id or number."""
    checks: dict[str, Callable[[Mapping[str, Any], str], Parameter]] = {"text": text, "time": time, "id": identifier, "number": number}
    return {key: checks[kind](parameters, key) for key, kind in kinds.items() if key in parameters}
