"""The store's version, and the steps that bring an older one up to date: migrations/NNNN_name.sql, applied in order."""

import importlib.resources
import re
from pathlib import Path

from chaperone.collector.store.directory import write_whole
from chaperone.collector.store.engine import Engine

_STEP = re.compile(r"(\d{4})_\w+\.sql")


class SchemaError(Exception):
    """This store is not for this version; the message says what to do."""


def steps() -> dict[int, str]:
    """Every step's number and text, in order."""
    folder = importlib.resources.files("chaperone.collector.store") / "migrations"
    found = {int(match[1]): entry.read_text() for entry in folder.iterdir() if (match := _STEP.fullmatch(entry.name))}
    return dict(sorted(found.items()))


def check_version(recorded: int, newest: int, store: Path) -> None:
    """SchemaError when the store was written by a newer Chaperone."""
    if recorded > newest:
        raise SchemaError(
            f"the store {store} has layout {recorded}, this Chaperone knows layouts up to {newest}: "
            "upgrade Chaperone, or name another store with --store"
        )


def migrate(engine: Engine, version_file: Path) -> None:
    """Apply the steps this store has not had; its version is recorded after each."""
    recorded, known = version_in(version_file), steps()
    check_version(recorded, max(known), version_file.parent)
    for number, text in known.items():
        if number > recorded:
            _apply(engine, text)
            write_whole(version_file, b"%d\n" % number)


def version_in(version_file: Path) -> int:
    """The recorded version; 0 for a new store."""
    if not version_file.exists():
        return 0
    text = version_file.read_text().strip()
    if not text.isdecimal():
        raise SchemaError(f"{version_file} does not hold a version: this is not a Chaperone store; name another with --store")
    return int(text)


def _apply(engine: Engine, text: str) -> None:
    """A step that was cut off by a crash is done again: what it made first is made anew, never altered."""
    for statement in re.split(r";\s*$", text, flags=re.MULTILINE):
        if statement := re.sub(r"--.*$", "", statement, flags=re.MULTILINE).strip():
            engine.run(_repeatable(statement))


def _repeatable(statement: str) -> str:
    return re.sub(r"^CREATE (TABLE|VIEW) (?!IF)", r"CREATE \1 IF NOT EXISTS ", statement)
