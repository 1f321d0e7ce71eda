"""ClickHouse inside this process. The only importer of chdb.

One process may have a directory open (chdb says so badly: store/directory.py's lock says it first).
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from chaperone.collector.store.engine import Parameter, insertion, parsed, store_error

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_QUOTES = str.maketrans({"\\": "\\\\", "'": "\\'"})


class Embedded:
    """An open database in a directory: an Engine."""

    is_shared = False

    def __init__(self, directory: Path) -> None:
        self._session = _chdb_session(directory)
        self.run("CREATE DATABASE IF NOT EXISTS chaperone ENGINE = Atomic")
        self.run("USE chaperone")

    def run(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """A statement without an answer."""
        self._query(statement, parameters or {})

    def rows(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> list[dict[str, Any]]:
        """A statement's rows."""
        return parsed(self._query(statement, parameters or {}))

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Durable when this returns."""
        if text := insertion(table, rows):
            self._query(text, {})

    def close(self) -> None:
        """Finish merges and let the directory go."""
        self._session.close()

    def _query(self, statement: str | bytes, parameters: Mapping[str, Parameter]) -> bytes:
        bound = {name: literal(value) for name, value in parameters.items()}
        try:
            answer: bytes = self._session.query(statement, "JSONEachRow", params=bound).bytes()
        except RuntimeError as error:
            raise store_error(str(error)) from None
        return answer


def literal(value: Parameter) -> str | int:
    """A parameter as the engine reads it: text in tab-separated escaping, lists as array literals."""
    if isinstance(value, list):
        return "[" + ",".join(str(item) if isinstance(item, int) else "'" + item.translate(_QUOTES) + "'" for item in value) + "]"
    return value.translate(_ESCAPES) if isinstance(value, str) else value


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
        raise store_error(str(error)) from None
