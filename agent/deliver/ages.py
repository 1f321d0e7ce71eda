"""When the batches that wait began, to the second: of a long absence 16 bytes a second are kept, however many batches it made."""

from array import array
from bisect import bisect_right

STEP_NS = 1_000_000_000


class Ages:
    """The first batch of each second, and when it began; the oldest that waits is taken for as old as the first of its second."""

    def __init__(self) -> None:
        self._numbers, self._began = array("Q"), array("Q")

    def begin(self, number: int, began_ns: int) -> None:
        """A batch with the next number waits."""
        if not self._began or began_ns >= self._began[-1] + STEP_NS:
            self._numbers.append(number)
            self._began.append(began_ns)

    def forget(self, through: int, last: int) -> None:
        """Up to this number none waits; `last`: the highest there is."""
        gone = len(self._numbers) if through >= last else max(0, bisect_right(self._numbers, through + 1) - 1)
        del self._numbers[:gone], self._began[:gone]

    def oldest_ns(self) -> int | None:
        """When the oldest that waits began; None if none does."""
        return self._began[0] if self._began else None
