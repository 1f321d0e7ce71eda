"""Who waits, in turns: a workload that has many waiting gets its next turn when each other one has had its."""

from collections import deque
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


class Turns(Generic[Waiting]):
    """False when nobody waits."""

    def __init__(self) -> None:
        self._by_workload: dict[int, deque[Waiting]] = {}  # in the order of their turns

    def __bool__(self) -> bool:
        return bool(self._by_workload)

    def put(self, workload: int, waiting: Waiting) -> None:
        """Behind the others of its workload."""
        self._by_workload.setdefault(workload, deque()).append(waiting)

    def take(self) -> Waiting:
        """Whose turn it is. IndexError when nobody waits."""
        if not self._by_workload:
            raise IndexError("nobody waits")
        workload, queue = next(iter(self._by_workload.items()))
        del self._by_workload[workload]
        waiting = queue.popleft()
        if queue:
            self._by_workload[workload] = queue
        return waiting
