"""Which batches an agent must keep although their rows are durable: a stream in them has no mark behind them.

Those are said again to the next collector, which goes on from the older mark (or from the stream's beginning) and makes the same
rows once more. What is kept so is bounded; past the bound the oldest such stream would be joined late.
"""

from collections.abc import Iterable

LIMIT = 16 << 20  # bytes of records, inflated


class Ledger:
    """Of one agent."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._since: dict[str, int] = {}  # stream without a mark: the first batch needed for it
        self._sizes: dict[int, int] = {}  # of the batches that are kept

    def take(self, number: int, size: int, settled: Iterable[str], unsettled: Iterable[str]) -> int:
        """A batch was taken, and these of the streams in it have a mark now, those not: the lowest number that may be needed again."""
        for stream in settled:
            self._since.pop(stream, None)
        for stream in unsettled:
            self._since.setdefault(stream, number)
        self._sizes[number] = size
        while self._since and self._kept() > self._limit:
            del self._since[min(self._since, key=self._since.__getitem__)]
        lowest = min(self._since.values(), default=number + 1)
        self._sizes = {kept: size for kept, size in self._sizes.items() if kept >= lowest}
        return lowest

    def _kept(self) -> int:
        lowest = min(self._since.values())
        return sum(size for number, size in self._sizes.items() if number >= lowest)
