"""How many messages a receiver may still get now."""

from chaperone.collector.enforce.alerting import Limit


class Bucket:
    """Starts full and fills evenly. Times are monotonic ns."""

    def __init__(self, limit: Limit | None, now: int) -> None:
        self._limit, self._then = limit, now
        self._tokens = float(limit.messages if limit else 0)

    def room(self, now: int) -> int | None:
        """Whole messages that may be sent now; None: any number."""
        if self._limit is None:
            return None
        filled = (now - self._then) * self._limit.messages / self._limit.within_ns
        self._tokens, self._then = min(float(self._limit.messages), self._tokens + filled), now
        return int(self._tokens + 1e-6)

    def take(self, now: int) -> None:
        """One message is sent."""
        if self.room(now) is not None:
            self._tokens -= 1

    def wait_ns(self, now: int) -> int:
        """Until there is room for one."""
        if self._limit is None or self.room(now):
            return 0
        return int((1 - self._tokens) * self._limit.within_ns / self._limit.messages) + 1
