"""No silent gap: a jump in a stream's positions becomes a TlsLost in front of what jumped.

The kernel gives each accepted call its position before anything can fail, so what never reached us is exactly the
distance between where a direction was and where it goes on, or where it ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chaperone.agent.trace.values import Tls, TlsBytes, TlsClosed, TlsLost, Value
from chaperone.proto.records import Cause, Direction

Process = tuple[int, int]  # pid, started


@dataclass(slots=True)
class Gaps:
    """Where each direction of each open TLS object is."""

    open: dict[Process, dict[Tls, list[int]]] = field(default_factory=dict)

    def follow(self, value: Value) -> Iterator[Value]:
        """`value`, and before it what it shows to be missing."""
        match value:
            case TlsBytes(tls, direction, position, data, time):
                yield from self._advance(tls, direction, position, time)
                self._reach(tls, direction, position + len(data))
            case TlsLost(tls, direction, position, size, time):
                yield from self._advance(tls, direction, position, time)
                self._reach(tls, direction, position + size)
            case TlsClosed(tls, time, out_position, in_position):
                yield from self.end(tls, (out_position, in_position), time)
                self.forget(tls)
        yield value

    def end(self, tls: Tls, positions: Sequence[int], time: int) -> Iterator[Value]:
        """What is missing of an object whose directions are now known to be this long (OUT, IN)."""
        for direction in Direction:
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
        process = (tls.pid, tls.started)
        objects = self.open.get(process, {})
        objects.pop(tls, None)
        if not objects:
            self.open.pop(process, None)

    def forget_workload(self, workload: int) -> None:
        """Of its objects nothing will come any more."""
        for tls in [tls for objects in self.open.values() for tls in objects if tls.workload == workload]:
            self.forget(tls)

    def _at(self, tls: Tls) -> list[int]:
        return self.open.setdefault((tls.pid, tls.started), {}).setdefault(tls, [0, 0])

    def _advance(self, tls: Tls, direction: Direction, position: int, time: int) -> Iterator[Value]:
        was = self._at(tls)[direction]
        if position > was:
            yield TlsLost(tls, direction, was, position - was, time, Cause.RING_FULL)

    def _reach(self, tls: Tls, direction: Direction, position: int) -> None:
        at = self._at(tls)
        at[direction] = max(at[direction], position)
