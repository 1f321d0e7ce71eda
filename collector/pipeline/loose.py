"""Whether what left of a held stream reached a socket: the agent says so (`Bound`) as soon as one of its records was seen to leave.

A small write may wait for an acknowledgement (Nagle) and leave unseen, hence neither one write nor a moment is enough to say that
nothing reaches a socket. Behind that its plaintext is no proof of what is sent, so that nobody can decide by it.
"""

from dataclasses import dataclass, field

from chaperone.proto.records import Direction, Hold, Outcome

WRITES = 2
GRACE_NS = 1_000_000_000
_LEAVING = ("pass", "write")


@dataclass(slots=True)
class Departures:
    """Of one stream's held writes: when the first `WRITES` of them left (boot-time ns)."""

    times: list[int] = field(default_factory=list)
    _waiting: set[str] = field(default_factory=set)

    def asked(self, hold: Hold) -> None:
        """A call waits."""
        if hold.direction is Direction.OUT and len(self.times) < WRITES:
            self._waiting.add(hold.hold)

    def told(self, outcome: Outcome) -> None:
        """What became of one."""
        if outcome.hold in self._waiting:
            self._waiting.discard(outcome.hold)
            if outcome.order in _LEAVING:
                self.times.append(outcome.time)

    def is_enough(self, now: int) -> bool:
        """Whether one of them should have been seen on a socket by now."""
        return len(self.times) >= WRITES and now - self.times[WRITES - 1] >= GRACE_NS
