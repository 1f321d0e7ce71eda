"""Order in time: by the boot clock of the node that said it, which nobody sets.

A row's `time` is the wall clock as it was; where that was set meanwhile, it says nothing about order. So a row also has `boot`, whose
boot clock it is, and `boot_time`. Rows of several boots are compared by boot time plus the newest offset known of each boot (table
`clocks`): the wall clock as it would have been, had it always been set as it is now. That is called the steady time here.
Rows without a boot are older than this, or not an agent's: their boot time is the wall clock.
"""

from collections.abc import Iterable

from chaperone.collector.store.engine import Engine, Parameter
from chaperone.collector.store.rows import WALL, Row

WORTH_NS = 1_000_000  # a change of the offset that is written down; less is the same for all rows of a boot, and so for their order

STEADY = "(boot_time + transform(boot, {boots:Array(String)}, {offsets:Array(Int64)}, toInt64(0)))"
SHIFT = f"({STEADY} - toUnixTimestamp64Nano(time))"  # from the times in a row's document to the steady ones
SINCE = f"{STEADY} >= toUnixTimestamp64Nano(parseDateTime64BestEffort({{since:String}}, 9, 'UTC'))"
UNTIL = f"{STEADY} < toUnixTimestamp64Nano(parseDateTime64BestEffort({{until:String}}, 9, 'UTC'))"


def offsets(engine: Engine) -> dict[str, int]:
    """The newest offset of each boot."""
    statement = "SELECT boot, argMax(wall_offset, boot_time) AS wall_offset FROM clocks GROUP BY boot"
    return {WALL.boot: 0} | {row["boot"]: row["wall_offset"] for row in engine.rows(statement)}


def clocks(engine: Engine) -> dict[str, Parameter]:
    """What STEADY, SINCE and UNTIL need besides."""
    found = offsets(engine)
    return {"boots": list(found), "offsets": list(found.values())}


class Offsets:
    """What of the table `clocks` has to be written. Used by the store's thread."""

    def __init__(self, engine: Engine) -> None:
        statement = "SELECT boot, max(boot_time) AS at, argMax(wall_offset, boot_time) AS wall_offset FROM clocks GROUP BY boot"
        self._engine = engine
        self._written = {row["boot"]: (int(row["at"]), int(row["wall_offset"])) for row in engine.rows(statement)}

    def write(self, rows: Iterable[Row]) -> None:
        """The newest offsets that these rows tell, where they are news."""
        news: dict[str, tuple[int, int]] = {}
        for row in rows:
            if row.clock is not WALL:
                news[row.clock.boot] = max(news.get(row.clock.boot, (0, 0)), (row.clock.at, row.clock.offset))
        news = {boot: told for boot, told in news.items() if self._is_news(boot, *told)}
        self._engine.insert("clocks", [{"boot": boot, "boot_time": at, "wall_offset": offset} for boot, (at, offset) in news.items()])
        self._written.update(news)

    def _is_news(self, boot: str, at: int, offset: int) -> bool:
        known_at, known = self._written.get(boot, (-1, 0))
        return at > known_at and (known_at < 0 or abs(offset - known) >= WORTH_NS)
