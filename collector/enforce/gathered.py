"""Alerts between the pipeline's thread and the outbox: of alike ones the first, the last, and everybody's id."""

import threading
from dataclasses import dataclass, field

from chaperone.collector.enforce.alert import Alert


@dataclass(slots=True)
class Alike:
    """`ids`: in order, of all of them."""

    first: Alert
    last: Alert
    ids: list[bytes] = field(default_factory=list)


class Gathering:
    """Added to by one thread, emptied by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Alike] = {}

    def add(self, likeness: str, alert: Alert) -> None:
        """One more."""
        with self._lock:
            alike = self._found.setdefault(likeness, Alike(alert, alert))
            alike.last = alert
            alike.ids.append(bytes.fromhex(alert.id))

    def take(self) -> dict[str, Alike]:
        """All of them; none is left."""
        with self._lock:
            found, self._found = self._found, {}
            return found

    def __bool__(self) -> bool:
        return bool(self._found)
