"""The order in which rows arrive (column `arrived`): what `--follow` goes by, and what "lately" means to a collector that starts.

In a store of one collector they are counted: 1, 2, 3 … In one that several share nobody can count alone, so they are the writers' wall
clocks in ns: rows of another writer may come in behind ones with a higher number, for as long as an insert takes and clocks differ. Whoever
follows is told only what is older than that.
"""

import time

from chaperone.collector.store.engine import Engine
from chaperone.collector.times import SECOND

LATELY_ROWS = 50_000
LATELY_NS = 600 * SECOND  # no agent keeps for longer what was stored: it was not acked because its collector died
SETTLED_NS = 5 * SECOND
ALL = 2**63 - 1

AFTER = "arrived > {after:UInt64} AND arrived <= {settled:UInt64}"
CURSOR = "least(arrived, {settled:UInt64})"  # after which to ask next: what is not settled then comes once more


class Arrivals:
    """Numbers for what one collector writes."""

    def __init__(self, engine: Engine) -> None:
        self._is_shared = engine.is_shared
        self._last = int(engine.rows("SELECT max(arrived) AS last FROM records")[0]["last"])

    def first(self) -> int:
        """Of the rows that are written next."""
        return max(self._last + 1, time.time_ns()) if self._is_shared else self._last + 1

    def took(self, first: int, count: int) -> None:
        """So many are written."""
        self._last = max(self._last, first + count - 1)


def lately(engine: Engine) -> int:
    """How far numbers reach back that an agent may say once more."""
    return LATELY_NS if engine.is_shared else LATELY_ROWS


def settled(engine: Engine) -> dict[str, int]:
    """Up to which number nothing comes in any more, as AFTER and CURSOR need it."""
    return {"settled": time.time_ns() - SETTLED_NS if engine.is_shared else ALL}
