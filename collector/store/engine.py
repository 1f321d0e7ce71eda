"""What the store asks of ClickHouse: statements in, rows out. Done by two engines: in this process (embedded.py), a server (server.py).

One thread at a time uses an engine. Values reach a statement as bound parameters `{name:Type}` only.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson

Parameter = str | int | list[str] | list[int]
_NO_SPACE = ("No space left on device", "NOT_ENOUGH_SPACE", "Disk quota exceeded")


class StoreError(Exception):
    """The store could not do what it was asked; the message names the engine's error and quotes no data."""


class StoreFullError(StoreError):
    """There is no space for what was to be written."""


class Engine(Protocol):
    """An open database. `is_shared`: other collectors may write to it meanwhile."""

    is_shared: bool

    def run(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """A statement without an answer."""
        ...

    def rows(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> list[dict[str, Any]]:
        """A statement's rows. 64-bit numbers are numbers."""
        ...

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Durable when this returns. `table` is one of ours, never input."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


def insertion(table: str, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The statement that inserts rows, with them; empty for none."""
    head = f"INSERT INTO {table} SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow".encode()
    lines = [encoded(row) for row in rows]
    return b"\n".join((head, *lines)) if lines else b""


def encoded(value: Any) -> bytes:
    """As JSON. A lone surrogate, which UTF-8 does not have, becomes a question mark."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def parsed(answer: bytes) -> list[dict[str, Any]]:
    """Rows in JSONEachRow."""
    return [json.loads(line) for line in answer.split(b"\n") if line]


def store_error(message: str) -> StoreError:
    """Of what the engine says, only its code and its name."""
    code = re.search(r"Code: (\d+)", message)
    names = re.findall(r"\(([A-Z][A-Z_]+)\)", message)
    if any(sign in message for sign in _NO_SPACE):
        return StoreFullError("no space left in the store's file system")
    return StoreError(f"ClickHouse error {code.group(1) if code else '?'} {names[-1] if names else ''}".rstrip())
