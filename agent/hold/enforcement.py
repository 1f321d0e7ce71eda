"""Which workloads of this agent are enforced, and the way of orders to them. Nothing here runs for one that is only recorded."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from chaperone.agent.deliver.place import Streams
from chaperone.agent.hold.allowance import SHARE
from chaperone.agent.hold.guardian import Guardian
from chaperone.agent.hold.holds import UNTRACEABLE, Holds
from chaperone.agent.hold.lane import OrderError
from chaperone.agent.hold.lock import Lock, take_off
from chaperone.agent.hold.logged import log_wait, logged
from chaperone.agent.hold.marks import unmark
from chaperone.agent.hold.orders import Name, order_of
from chaperone.agent.hold.terms import Terms, in_words
from chaperone.agent.hold.waiting import World
from chaperone.agent.settings import SessionOptions
from chaperone.agent.sockets.values import SocketDenied, SocketOpened, SocketValue
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import Tls, TlsHeld
from chaperone.agent.workload.processes import members, now_ns
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Record

LOG = logging.getLogger("chaperone.agent.hold")
TICK_S = 0.02
SECOND = 1_000_000_000
DRAINING_NS = 2 * SECOND  # for what was begun before a suspension


class Enforcement:
    """`orders` go to whichever workload waits for them. `allows_edits`: also bytes of the collector's own. `share`: of a processor,
    what tracing each may take."""

    def __init__(self, tracer: Tracer, allows_edits: bool = False, share: float = SHARE) -> None:
        self.tracer, self.allows_edits, self._share = tracer, allows_edits, share
        self.holds: dict[int, Holds] = {}
        self._said: SimpleQueue[Record] = SimpleQueue()
        self._regrets: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._regretted: set[tuple[int, str]] = set()
        self._over = threading.Event()
        self._ticking: threading.Thread | None = None
        self._guardian: Guardian | None = None
        self._lock: Lock | None = None
        self._wanted: dict[int, tuple[Path, Terms, int]] = {}  # as `begin` was told
        self._suspended_since = 0  # boot time; 0: not
        self._is_drained = False

    def begin(self, workload: int, cgroup: Path, terms: Terms, pid: int = 0) -> None:
        """Enforce a workload from now on; `pid`: a process that is to run there is traced before it does. In the main thread."""
        self._wanted[workload] = cgroup, terms, pid
        if self._suspended_since:
            return
        if self._ticking is None:
            self._guardian = Guardian(self.tracer.kernel)
            self._ticking = threading.Thread(target=self._tick, name="deadlines", daemon=True)
            self._ticking.start()
        self._lock = self._lock or Lock(self.tracer.kernel, now_ns())
        self._lock.put_on(cgroup, terms.denies, terms.covers)
        world = World(
            self.tracer.kernel, self._said.put, self.tracer.files.exit_of, cgroup, lambda text: self._regrets.put((workload, text))
        )
        holds = Holds(world, terms, self._share)
        self.holds = {**self.holds, workload: holds}  # a new one: other threads go through it
        self.tracer.enforce(workload, terms.denies, terms.covers)
        if pid:
            self._begin_traced(workload, pid)

    def end(self, workload: int) -> None:
        """Enforce it no more; who waits there goes on, or ends, as its policy says."""
        wanted = self._wanted.pop(workload, None)
        self._end(workload)
        if wanted is not None:
            with suppress(OSError):  # the cgroup is gone
                take_off(wanted[0])

    def enforces(self, workload: int) -> bool:
        """Whether it is enforced, or would be."""
        return workload in self._wanted

    def suspend(self, until: int) -> None:
        """Enforce nothing; locks are open until then (boot time in ns). What has begun is finished first, by `step`."""
        if self._lock is not None:
            self._lock.open(until)
        if not self._suspended_since:
            self._suspended_since, self._is_drained = now_ns(), False
            for holds in list(self.holds.values()):
                holds.let_pass()

    def step(self) -> bool:
        """Whether nothing is held any more, in a suspension that began. In the main thread."""
        if not self._suspended_since or self._is_drained:
            return bool(self._suspended_since)
        is_late = now_ns() - self._suspended_since > DRAINING_NS
        for workload in [number for number, holds in self.holds.items() if is_late or holds.is_quiet()]:
            self._end(workload)
        self._is_drained = not self.holds
        return self._is_drained

    def resume(self) -> None:
        """Enforce again who is there. In the main thread."""
        for workload in list(self.holds):
            self._end(workload)
        self._suspended_since = 0
        if self._lock is not None:
            self._lock.open(0)
        for workload, (cgroup, terms, _) in list(self._wanted.items()):
            if cgroup.exists():
                self.begin(workload, cgroup, terms)
                self.seize(workload, cgroup)

    def seize(self, workload: int, cgroup: Path) -> None:
        """Who runs there is traced; who cannot be is caught at its first held call."""
        for pid in members(cgroup) if workload in self.holds else ():
            with suppress(OSError):  # it ended, or another traces it
                self.holds[workload].seize(pid)

    def _begin_traced(self, workload: int, pid: int) -> None:
        """A process that nobody has traced yet. Where even that may not be, its calls are met as they come, and said to be."""
        try:
            self.holds[workload].seize(pid)
        except PermissionError:
            self._regrets.put((workload, UNTRACEABLE))

    def _end(self, workload: int) -> None:
        if holds := self.holds.get(workload):
            self.holds = {number: one for number, one in self.holds.items() if number != workload}
            self.tracer.enforce(workload, None)
            holds.close()

    def told(self) -> Iterator[Record]:
        """What was done since the last look."""
        while not self._said.empty():
            yield logged(self._said.get())

    def regrets(self) -> Iterator[tuple[int, str]]:
        """What could not be enforced, by workload: each sentence once."""
        while not self._regrets.empty():
            if (regret := self._regrets.get()) not in self._regretted:
                self._regretted.add(regret)
                yield regret

    def held(self, value: TlsHeld, streams: Streams) -> Iterator[Record]:
        """A thread waits: what the collector is to be asked, at once."""
        yield from streams.held(value)
        holds, place = self.holds.get(value.tls.workload), streams.place_of(value.tls)
        if holds is None and self._suspended_since:
            self._let_on(value)
        if holds is not None and place is not None and (question := holds.told(value, *place)):
            yield question

    def take(self, message: wire.Downward) -> None:
        """An order, or from where to hold. Called by the uplink's thread."""
        if message.WhichOneof("message") == "hold_from":
            said = message.hold_from
            for holds in list(self.holds.values()):
                holds.hold_from(StreamId(said.stream), Direction(said.direction), said.position)
            return
        if not any(self._ordered(holds, message.order) for holds in list(self.holds.values())):
            LOG.info("an order comes too late", extra={"hold": message.order.hold})

    def saw(self, value: SocketValue) -> None:
        """What the kernel told of a socket; of a workload's own ones only where that is known."""
        for workload, holds in self.holds.items():
            if not isinstance(value, SocketOpened | SocketDenied) or value.workload == workload:
                holds.saw(value)

    def closed(self, tls: Tls, streams: Streams) -> None:
        """A stream is over."""
        if (holds := self.holds.get(tls.workload)) and (place := streams.place_of(tls)):
            holds.closed(place[0])

    def tracers(self) -> set[int]:
        """The threads that trace."""
        return {holds.seizer.native_id or 0 for holds in self.holds.values()}

    def let_go(self, tid: int) -> None:
        """A thread that a gate kept may go on, if it is one that we trace."""
        for holds in list(self.holds.values()):
            holds.let_go(tid)

    def close(self) -> None:
        """Let everybody go. The lock comes first: nothing undecided leaves meanwhile where failure means deny, nor afterwards."""
        self._over.set()
        if self._ticking is not None:
            self._ticking.join()
        if self._lock is not None:
            self._lock.close()
        for workload, holds in list(self.holds.items()):
            self._end(workload) if holds.terms.denies else self.end(workload)
        if self._guardian is not None:
            self._guardian.close()

    def _let_on(self, value: TlsHeld) -> None:
        """It was held just before nobody was any more; its stop may still be to come, which this takes away."""
        unmark(self.tracer.kernel, value.tid, value.tls.workload)
        with suppress(ProcessLookupError):
            os.kill(value.tls.pid, signal.SIGCONT)

    def _tick(self) -> None:
        while not self._over.wait(TICK_S):
            for holds in list(self.holds.values()):
                holds.look()
            if self._guardian is not None and all(holds.is_alive() for holds in list(self.holds.values())):
                self._guardian.beat()
                if self._lock is not None:
                    self._lock.beat(now_ns())

    def _ordered(self, holds: Holds, message: wire.Order) -> bool:
        try:
            order = order_of(message, self.allows_edits)
        except OrderError as error:
            LOG.warning("an order is not carried out: %s", error, extra={"hold": message.hold})
            return False
        is_ours = holds.order(order)
        if is_ours and order.name is Name.WAIT:
            log_wait(order.hold)
        return is_ours


def terms_of(options: SessionOptions) -> Terms | None:
    """None: recorded only."""
    if options.mode != "enforce":
        return None
    return in_words(options.on_failure, options.uncovered, _ns(options.verdict_timeout_s), _ns(options.hold_limit_s))


def _ns(seconds: str) -> int:
    return int(float(seconds) * SECOND) if seconds else 0
