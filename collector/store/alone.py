"""One collector at a time changes the schema of a database that several share.

ClickHouse has no locks, but only one of two that create the same table succeeds: the table is the lock. Who died with it left it behind, so
it counts for STALE_S only; then the next number is the lock. Whoever is done takes off all of them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chaperone.collector.store.engine import Engine, StoreError

LOCK = "migrating_"
STALE_S = 60
PAUSE_S = 0.2
EXISTS = "TABLE_ALREADY_EXISTS"  # ClickHouse's error 57
_LOCKS = (
    "SELECT toUInt32(substring(name, length({lock:String}) + 1)) AS number, now() - metadata_modification_time AS age FROM system.tables"
    " WHERE database = currentDatabase() AND startsWith(name, {lock:String}) ORDER BY number"
)


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Nobody else is in here, of all that use the database."""
    number = _locked(engine)
    try:
        yield
    finally:
        for lock in range(1, number + 1):
            engine.run(f"DROP TABLE IF EXISTS {LOCK}{lock}")


def _locked(engine: Engine) -> int:
    """The number of our lock."""
    while True:
        last, age = _last(engine)
        if last and age < STALE_S:
            time.sleep(PAUSE_S)
            continue
        try:
            engine.run(f"CREATE TABLE {LOCK}{last + 1} (number UInt8) ENGINE = Memory")
        except StoreError as error:
            if EXISTS not in str(error):
                raise  # not because somebody else was faster, who may be done with it already
            continue
        return last + 1


def _last(engine: Engine) -> tuple[int, int]:
    """The highest lock's number and its age in seconds; (0, 0) for none."""
    rows = engine.rows(_LOCKS, {"lock": LOCK})
    return (int(rows[-1]["number"]), int(rows[-1]["age"])) if rows else (0, 0)
