"""The store's version, and the steps that bring an older one up to date: migrations/NNNN_name.sql, applied in order.

A directory's version is in its file; that of a database that several collectors share is in a table of its own.
"""

import hashlib
import importlib.resources
import re
from collections.abc import Iterator
from pathlib import Path

from chaperone.collector.store.alone import alone
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


def check_version(recorded: int, newest: int, store: object) -> None:
    """SchemaError when the store was written by a newer Chaperone."""
    if recorded > newest:
        raise SchemaError(
            f"the store {store} has layout {recorded}, this Chaperone knows layouts up to {newest}: "
            "upgrade Chaperone, or name another store with --store"
        )


def migrate(engine: Engine, version_file: Path) -> None:
    """Apply the steps this store has not had; its version is recorded after each."""
    recorded = version_in(version_file)
    check_version(recorded, max(steps()), version_file.parent)
    for number in _applied(engine, recorded):
        write_whole(version_file, b"%d\n" % number)


def migrate_shared(engine: Engine, name: str, key: bytes) -> None:
    """The same of a database, of which `name` tells people; and that all who use it have this key."""
    with alone(engine):
        engine.run(_table("schema_steps", "number UInt32", "number"))
        engine.run(_table("installation", "digest String", "digest"))
        _claim(engine, name, hashlib.blake2b(key, digest_size=16, person=b"chaperone-key").hexdigest())
        recorded = int(engine.rows("SELECT max(number) AS last FROM schema_steps")[0]["last"])
        check_version(recorded, max(steps()), name)
        for number in _applied(engine, recorded):
            engine.insert("schema_steps", [{"number": number}])


def _claim(engine: Engine, name: str, digest: str) -> None:
    """What one collector masks and marks, another must know again."""
    known = engine.rows("SELECT DISTINCT digest FROM installation")
    if not known:
        engine.insert("installation", [{"digest": digest}])
    elif known != [{"digest": digest}]:
        raise SchemaError(f"the database {name} is that of collectors with another key: give all of them the same directory with --keys")


def _table(name: str, columns: str, order: str) -> str:
    synced = "fsync_after_insert = 1, fsync_part_directory = 1"
    merged = "min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1"
    return f"CREATE TABLE IF NOT EXISTS {name} ({columns}) ENGINE = ReplacingMergeTree ORDER BY {order} SETTINGS {synced}, {merged}"


def _applied(engine: Engine, recorded: int) -> Iterator[int]:
    """The steps behind the recorded one, each when it was applied."""
    for number, text in steps().items():
        if number > recorded:
            _apply(engine, text)
            yield number


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
