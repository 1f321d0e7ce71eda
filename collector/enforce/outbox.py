"""The outbox: alerts on disk before their calls are acked, until each receiver was told. SQLite, in one thread.

Bounds: `keep` alerts in all; of each receiver `waiting` untold ones. Over the second, the least severe and among them the
oldest are dropped, counted, and the receiver's next message says how many; over the first, the oldest that nobody waits for go.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from chaperone.collector.enforce.alert import Alert, document
from chaperone.collector.enforce.alerting import Alerting
from chaperone.collector.enforce.gathered import Alike
from chaperone.collector.enforce.routes import RANK, receivers_of
from chaperone.collector.times import SECOND

FILE = "alerts.sqlite"
MEMBERS = 200_000  # ids that are remembered: a batch that comes again after a crash is far younger
GIVE_UP_NS = 24 * 3600 * SECOND
AGAIN_CAP_NS = 3600 * SECOND
LAYOUT = 1
_WAITS = "state IN ('waiting', 'sending')"


class OutboxError(Exception):
    """The outbox can't be used now; one sentence."""


class Outbox:
    """An open outbox. Times are wall-clock ns, handed in."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "journal_size_limit = 4194304"):
            self._base.execute(f"PRAGMA {pragma}")
        layout = self._one("PRAGMA user_version")
        if layout not in (0, LAYOUT):
            raise OutboxError(f"{path.name} has layout {layout}, this version knows {LAYOUT}: use the version that made it")
        with self.change():
            for statement in files(__package__).joinpath("outbox.sql").read_text().split(";\n"):
                self._base.execute(statement)
            self._base.execute(f"PRAGMA user_version = {LAYOUT}")

    def close(self) -> None:
        """No more."""
        self._base.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """All that is done within is done, durably, or nothing of it."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """What a SELECT finds."""
        cursor = self._base.execute(statement, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def run(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Change rows; how many."""
        return self._base.execute(statement, parameters).rowcount

    def add(self, found: Mapping[str, Alike], alerting: Alerting, now: int) -> dict[str, int]:
        """Keep alerts that are not known yet; how many were dropped, by receiver."""
        with self.change():
            for likeness, alike in found.items():
                self._add(likeness, alike, alerting, now)
            dropped = {receiver.name: self._drop(receiver.name, alerting.waiting) for receiver in alerting.receivers}
            self._forget(alerting.keep, now)
        return dropped

    def setting(self, key: str) -> str:
        """A remembered text, or ""."""
        return str(self._one("SELECT value FROM settings WHERE key = ?", key) or "")

    def remember(self, key: str, value: str) -> None:
        """Remember a text."""
        self._base.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def changed(self) -> int:
        """The number of the next change."""
        return int(self._one("SELECT coalesce(max(changed), 0) + 1 FROM alerts"))

    def _add(self, likeness: str, alike: Alike, alerting: Alerting, now: int) -> None:
        new = sum(self._base.execute("INSERT OR IGNORE INTO members (id) VALUES (?)", (id_,)).rowcount for id_ in alike.ids)
        if not new:
            return None
        last = {"time": alike.last.time, "message": alike.last.message, "call": alike.last.call}
        open_ = "SELECT n FROM alerts WHERE likeness = ? AND last_ns > ? ORDER BY n DESC LIMIT 1"
        n = self._one(open_, likeness, now - alerting.grouping.quiet_ns)
        if n is None:
            return self._begin(likeness, alike.first if new == len(alike.ids) else alike.last, (new, last), alerting, now)
        update = "UPDATE alerts SET count = count + ?, last_ns = ?, last = ?, changed = ? WHERE n = ?"
        self._base.execute(update, (new, now, json.dumps(last), self.changed(), n))
        acked = "SELECT acked_ns FROM alerts WHERE n = ?"
        if self._one(acked, n) is None:
            self._base.execute(
                "UPDATE deliveries SET state = 'waiting', since_ns = ? WHERE n = ? AND state IN ('told', 'failed')", (now, n)
            )
        return None

    def _begin(self, likeness: str, alert: Alert, so_far: tuple[int, dict[str, str]], alerting: Alerting, now: int) -> None:
        count, last = so_far
        row = (alert.id, likeness, RANK[alert.severity], alert.rule, alert.policy, alert.session, now, now, count, self.changed())
        statement = (
            "INSERT INTO alerts (id, likeness, severity, rule, policy, session, first_ns, last_ns, count, changed, document, last)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        n = self._base.execute(statement, (*row, json.dumps(document(alert)), json.dumps(last))).lastrowid
        delivery = "INSERT INTO deliveries VALUES (?, ?, 'waiting', 0, 0, '', ?, ?, ?, '')"
        rows = [(n, receiver, now, alerting.grouping.again_ns, now) for receiver in receivers_of(alerting, alert)]
        self._base.executemany(delivery, rows)

    def _drop(self, receiver: str, limit: int) -> int:
        """Over the limit, the least severe go, the oldest of them first."""
        waiting = int(self._one("SELECT count(*) FROM deliveries WHERE receiver = ? AND state = 'waiting'", receiver))
        if waiting <= limit:
            return 0
        least = "SELECT n FROM deliveries JOIN alerts USING (n) WHERE receiver = ? AND state = 'waiting' ORDER BY severity, n LIMIT ?"
        statement = f"UPDATE deliveries SET state = 'dropped', why = 'too many waited' WHERE receiver = ? AND n IN ({least})"
        self._base.execute(statement, (receiver, receiver, waiting - limit))
        self._count_dropped(receiver, waiting - limit)
        return waiting - limit

    def _count_dropped(self, receiver: str, count: int) -> None:
        statement = "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (receiver) DO UPDATE SET count = count + excluded.count"
        self._base.execute(statement, (receiver, count))

    def _forget(self, keep: int, now: int) -> None:
        gone = f"UPDATE deliveries SET state = 'failed', why = 'not delivered within a day' WHERE {_WAITS} AND since_ns < ?"
        self._base.execute(gone + " AND message = ''", (now - GIVE_UP_NS,))
        for spared in (
            f"n NOT IN (SELECT n FROM deliveries WHERE {_WAITS})",
            "n NOT IN (SELECT n FROM deliveries WHERE state = 'sending')",
        ):
            excess = int(self._one("SELECT count(*) FROM alerts")) - keep
            if excess > 0:
                self._remove(f"SELECT n FROM alerts WHERE {spared} ORDER BY n LIMIT {excess}")
        self._base.execute("DELETE FROM members WHERE seq <= (SELECT max(seq) FROM members) - ?", (MEMBERS,))

    def _remove(self, which: str) -> None:
        """Alerts and their deliveries; untold ones count as dropped."""
        numbers = [row["n"] for row in self.rows(which)]
        for n in numbers:
            for row in self.rows("SELECT receiver FROM deliveries WHERE n = :n AND state = 'waiting' AND told = 0", {"n": n}):
                self._count_dropped(row["receiver"], 1)
            self._base.execute("DELETE FROM deliveries WHERE n = ?", (n,))
            self._base.execute("DELETE FROM alerts WHERE n = ?", (n,))

    def _one(self, statement: str, *parameters: Any) -> Any:
        found = self._base.execute(statement, parameters).fetchone()
        return found[0] if found else None
