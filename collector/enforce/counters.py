"""How many messages and alerts went which way, as plain values: metrics can show them."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    """What is counted: tries by their end, alerts dropped."""

    SENT = "sent"
    RETRIED = "retried"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Count:
    """One number, since the collector began."""

    receiver: str
    event: Event
    value: int


class Counters:
    """Counts by receiver and event. Used from the event loop only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Event]] = Counter()

    def add(self, receiver: str, event: Event, count: int = 1) -> None:
        """Count."""
        self._counts[receiver, event] += count

    def values(self) -> tuple[Count, ...]:
        """All of them, sorted."""
        return tuple(Count(*key, value) for key, value in sorted(self._counts.items()) if value)
