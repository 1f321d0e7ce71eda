"""No silent gap: a jump in a stream's positions becomes a TlsLost in front of what jumped.

The kernel gives each accepted call its position before anything can fail, so what never reached us is exactly the
distance between where a direction was and where it goes on, or where it ended.

Two threads that write or read one object at the same time, as goroutines may, get their positions in the order in which their calls
return, and a moment later room in the ring in whatever order they are then: what is ahead waits for what is behind it.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chaperone.agent.trace.values import Tls, TlsBytes, TlsClosed, TlsLost, Value
from chaperone.proto.records import Cause, Direction

Process = tuple[int, int]  # pid, started
Side = tuple[Tls, Direction]
UNORDERED = "go"  # OpenSSL and GnuTLS forbid two threads in one direction of an object
LATE_NS = 500_000_000  # what is not there by then is lost: a thread that was preempted between its position and the ring
AHEAD = 1024  # the most that wait in one direction, each of at most 32 KiB


@dataclass(slots=True)
class Gaps:
    """Where each direction of each open TLS object is."""

    open: dict[Process, dict[Tls, list[int]]] = field(default_factory=dict)
    _ahead: dict[Side, list[TlsBytes | TlsLost]] = field(default_factory=dict)
    _since: dict[Side, int] = field(default_factory=dict)

    def follow(self, value: Value) -> Iterator[Value]:
        """`value`, and before it what it shows to be missing; nothing yet while that may still come."""
        match value:
            case TlsBytes(tls, direction, position) | TlsLost(tls, direction, position):
                yield from self._placed(value, (tls, direction), position)
                return
            case TlsClosed(tls, time, out_position, in_position):
                yield from self.end(tls, (out_position, in_position), time)
                self.forget(tls)
        yield value

    def overdue(self, now: int) -> Iterator[Value]:
        """What has waited for too long, and what is missing before it."""
        for side in list(self._ahead):
            if now - self._since.setdefault(side, now) > LATE_NS:
                yield from self._given_up(side)

    def end(self, tls: Tls, positions: Sequence[int], time: int) -> Iterator[Value]:
        """What is missing of an object whose directions are now known to be this long (OUT, IN)."""
        for direction in Direction:
            yield from self._given_up((tls, direction))
            yield from self._advance(tls, direction, positions[direction], time)
            self._reach(tls, direction, positions[direction])

    def of_process(self, pid: int, started: int) -> tuple[Tls, ...]:
        """The open objects of one process."""
        return tuple(self.open.get((pid, started), ()))

    def reached(self, tls: Tls) -> tuple[int, int]:
        """How far each direction came: OUT, IN."""
        out_position, in_position = self._at(tls)
        return out_position, in_position

    def forget(self, tls: Tls) -> None:
        """The object is closed."""
        for direction in Direction:
            self._ahead.pop((tls, direction), None)
            self._since.pop((tls, direction), None)
        process = (tls.pid, tls.started)
        objects = self.open.get(process, {})
        objects.pop(tls, None)
        if not objects:
            self.open.pop(process, None)

    def forget_workload(self, workload: int) -> None:
        """Of its objects nothing will come any more."""
        for tls in [tls for objects in self.open.values() for tls in objects if tls.workload == workload]:
            self.forget(tls)

    def _placed(self, value: TlsBytes | TlsLost, side: Side, position: int) -> Iterator[Value]:
        """In its turn."""
        if side[0].library == UNORDERED and position > self._at(side[0])[side[1]]:
            insort(waiting := self._ahead.setdefault(side, []), value, key=lambda one: one.position)
            if len(waiting) > AHEAD:
                yield from self._given_up(side)
            return
        yield from self._passed(value)
        yield from self._caught_up(side)

    def _passed(self, value: TlsBytes | TlsLost) -> Iterator[Value]:
        yield from self._advance(value.tls, value.direction, value.position, value.time)
        size = len(value.data) if isinstance(value, TlsBytes) else value.size
        self._reach(value.tls, value.direction, value.position + size)
        yield value

    def _caught_up(self, side: Side) -> Iterator[Value]:
        """What had waited for what has just come."""
        waiting = self._ahead.get(side, [])
        while waiting and waiting[0].position <= self._at(side[0])[side[1]]:
            self._since.pop(side, None)
            yield from self._passed(waiting.pop(0))
        if not waiting:
            self._ahead.pop(side, None)

    def _given_up(self, side: Side) -> Iterator[Value]:
        """All that waits; what it had waited for is lost."""
        self._since.pop(side, None)
        for value in self._ahead.pop(side, []):
            yield from self._passed(value)

    def _at(self, tls: Tls) -> list[int]:
        return self.open.setdefault((tls.pid, tls.started), {}).setdefault(tls, [0, 0])

    def _advance(self, tls: Tls, direction: Direction, position: int, time: int) -> Iterator[Value]:
        was = self._at(tls)[direction]
        if position > was:
            yield TlsLost(tls, direction, was, position - was, time, Cause.RING_FULL)

    def _reach(self, tls: Tls, direction: Direction, position: int) -> None:
        at = self._at(tls)
        at[direction] = max(at[direction], position)
