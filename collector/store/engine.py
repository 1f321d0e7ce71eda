"""ClickHouse inside this process: statements in, rows out. The only importer of chdb.

One process may have a directory open (chdb says so badly: store/directory.py's lock says it first), and one thread at a time
uses an Engine. Values reach a statement as bound parameters `{name:Type}` only.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

Parameter = str | int | list[str] | list[int]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_QUOTES = str.maketrans({"\\": "\\\\", "'": "\\'"})
_NO_SPACE = ("No space left on device", "NOT_ENOUGH_SPACE", "Disk quota exceeded")


class StoreError(Exception):
    """The store could not do what it was asked; the message names the engine's error and quotes no data."""


class StoreFullError(StoreError):
    """There is no space for what was to be written."""


class Engine:
    """An open database."""

    def __init__(self, directory: Path) -> None:
        self._session = _chdb_session(directory)
        self.run("CREATE DATABASE IF NOT EXISTS chaperone ENGINE = Atomic")
        self.run("USE chaperone")

    def run(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """A statement without an answer."""
        self._query(statement, parameters or {})

    def rows(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> list[dict[str, Any]]:
        """A statement's rows. 64-bit numbers are numbers."""
        answer = self._query(statement, parameters or {})
        return [json.loads(line) for line in answer.split(b"\n") if line]

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Durable when this returns. `table` is one of ours, never input."""
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        if lines:
            text = f"INSERT INTO {table} SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow\n" + "\n".join(lines)
            self._query(text.encode(errors="replace"), {})

    def close(self) -> None:
        """Finish merges and let the directory go."""
        self._session.close()

    def _query(self, statement: str | bytes, parameters: Mapping[str, Parameter]) -> bytes:
        bound = {name: literal(value) for name, value in parameters.items()}
        try:
            answer: bytes = self._session.query(statement, "JSONEachRow", params=bound).bytes()
        except RuntimeError as error:
            raise _store_error(str(error)) from None
        return answer


def literal(value: Parameter) -> str | int:
    """A parameter as the engine reads it: text in tab-separated escaping, lists as array literals."""
    if isinstance(value, list):
        return "[" + ",".join(str(item) if isinstance(item, int) else "'" + item.translate(_QUOTES) + "'" for item in value) + "]"
    return value.translate(_ESCAPES) if isinstance(value, str) else value


def _store_error(message: str) -> StoreError:
    code = re.match(r"Code: (\d+)", message)
    names = re.findall(r"\(([A-Z][A-Z_]+)\)", message)
    if any(sign in message for sign in _NO_SPACE):
        return StoreFullError("no space left in the store's file system")
    return StoreError(f"ClickHouse error {code.group(1) if code else '?'} {names[-1] if names else ''}".rstrip())


class _Absent(ModuleType):
    """Stands in for pyarrow while chdb is imported: half a second for formats that are not used here."""

    def __getattr__(self, name: str) -> type[object]:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


def _chdb_session(directory: Path) -> Any:
    """A chdb session; chdb imports pyarrow (and with it numpy) for annotations, so it gets a placeholder meanwhile."""
    placeholder = None if "pyarrow" in sys.modules else _Absent("pyarrow")
    if placeholder is not None:
        sys.modules["pyarrow"] = placeholder
    try:
        from chdb import session  # noqa: PLC0415 - only behind the placeholder, and slow
    finally:
        if placeholder is not None:
            del sys.modules["pyarrow"]
    connect: Any = session.Session
    try:
        return connect(str(directory))
    except RuntimeError as error:
        raise _store_error(str(error)) from None
