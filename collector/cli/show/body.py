"""A body's document → a few lines: a Table as its cells, other objects as YAML, text as it is; always escaped."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from chaperone.collector.cli.show.escape import escape, lines
from chaperone.collector.cli.show.table import table

Body = dict[str, Any]
YAML_LIMIT = 100_000  # characters of JSON; PyYAML writes about 200 kB a second


def described(body: Body) -> str:
    """`SecretList, application/json, 936 bytes, 2 values masked`."""
    parts = [body["kind"], body["mediaType"].split(";")[0], amount(body["size"])]
    if body["masked"]:
        parts.append("1 value masked" if body["masked"] == 1 else f"{body['masked']} values masked")
    if not body["complete"]:
        parts.append("incomplete")
    return escape(", ".join(part for part in parts if part))


def amount(size: int) -> str:
    """`936 bytes`, `12.3 kB`."""
    if size < 10_000:
        return "1 byte" if size == 1 else f"{size} bytes"
    return f"{size / 1000:.1f} kB" if size < 10_000_000 else f"{size / 1_000_000:.1f} MB"


def contents(body: Body, limit: int | None) -> list[str]:
    """At most `limit` lines and one that says how many more there are; nothing for bytes that are no text."""
    if not body.get("data"):
        return []
    if body["encoding"] != "utf-8":
        return [f"({amount(body['size'])} that are no text)"]
    shown = list(_text(body["data"]))
    if limit is None or len(shown) <= limit:
        return shown
    return [*shown[:limit], f"… {len(shown) - limit} more lines"]


def _text(data: str) -> Iterator[str]:
    try:
        value = json.loads(data)
        if isinstance(value, dict) and value.get("kind") == "Table" and (shown := list(_table(value))):
            return iter(shown)
        return iter(lines(_laid_out(value, len(data))))
    except (ValueError, RecursionError):
        return iter(lines(data))


def _laid_out(value: Any, size: int) -> str:
    """YAML, as kubectl's users read objects, without managedFields, as kubectl shows them; large ones as JSON, which is quick."""
    if size > YAML_LIMIT or not isinstance(value, dict | list):
        return json.dumps(value, indent=2, ensure_ascii=False)
    if isinstance(value, dict) and isinstance(metadata := value.get("metadata"), dict):
        value = value | {"metadata": {key: inner for key, inner in metadata.items() if key != "managedFields"}}
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000))


def _table(value: dict[str, Any]) -> Iterator[str]:
    """The cells that a client shows (priority 0); nothing where the Table is not as documented."""
    columns = value.get("columnDefinitions") or []
    rows = value.get("rows") or []
    if not all(isinstance(entry, dict) for entry in [*columns, *rows]):
        return
    kept = [at for at, column in enumerate(columns) if not column.get("priority")]
    names = [str(columns[at].get("name", "")).upper() for at in kept]
    cells = [[str(cell) for cell in _picked(row.get("cells"), kept)] for row in rows]
    yield from table(names, [row for row in cells if len(row) == len(names)], colour=False) if names else ()


def _picked(cells: Any, kept: list[int]) -> list[Any]:
    return [cells[at] for at in kept if at < len(cells)] if isinstance(cells, list) else []
