"""The agent at work: values from the tracer become records in the outbox, until somebody says that it is over.

It is long because the agent's parts are joined here and nowhere else: what comes of one goes to the others in one order.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from chaperone.agent.deliver.answers import Answers
from chaperone.agent.deliver.clock import Steps, sentence
from chaperone.agent.deliver.leftovers import UNRECORDED
from chaperone.agent.deliver.outbox import SOON_MS, Outbox
from chaperone.agent.deliver.place import Streams
from chaperone.agent.deliver.private import Private
from chaperone.agent.deliver.undecided import Undecided
from chaperone.agent.ending.endings import Endings
from chaperone.agent.glass.suspension import Suspension
from chaperone.agent.glass.watch import GlassWatch
from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade, GroupValue
from chaperone.agent.hold.allowance import share_of
from chaperone.agent.hold.enforcement import Enforcement, terms_of
from chaperone.agent.hold.logged import logged
from chaperone.agent.hold.orders import Name
from chaperone.agent.probe.stack import Stacks
from chaperone.agent.ready import readable
from chaperone.agent.settings import Settings
from chaperone.agent.shortcomings import Shortcomings
from chaperone.agent.sockets.connections import Connections, Kernel
from chaperone.agent.sockets.values import SocketAnswer, SocketClosing, SocketDenied, SocketHello, SocketOpened, SocketTied
from chaperone.agent.strict.strict import SUBJECT, Strict
from chaperone.agent.trace.tracer import Tracer
from chaperone.agent.trace.values import (
    Attached,
    NotCovered,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    TlsBytes,
    TlsClosed,
    TlsHeld,
    TlsLost,
    Value,
)
from chaperone.agent.workload.lineage import Lineage
from chaperone.agent.workload.processes import boot_id, members, now_ns, started_ns
from chaperone.agent.workload.sessions import Session, sessions_of
from chaperone.proto.ids import SessionId
from chaperone.proto.records import BreakGlass, Cause, Hold, Note, Outcome, Record, SessionEnded

POLL_MS = 20
LAST_POLLS = 500  # a ring of 32 MiB is empty long before; processes left behind may go on filling it
ENDED = "the agent that recorded it ended"


@dataclass(frozen=True, slots=True)
class Ended:
    """What the launcher said at the end of CMD; -1 where nobody said."""

    status: int = -1
    left: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """A session that was cut, why, and where its workload goes on; something of it is open."""

    session: Session
    goes_on: SessionId
    why: str

    def end(self, time: int) -> Record:
        """It is over since then."""
        return SessionEnded(self.session.id, max(time, self.session.started.time), -1, self.why, self.goes_on)


class Pods(Protocol):
    """Who knows of containers: agent/pods/node.py."""

    def take(self, value: GroupValue) -> None:
        """What the kernel said about a cgroup."""
        ...

    def knows(self, number: int, time: int) -> bool:
        """Whether a workload's number is a container's."""
        ...

    def heard(self, number: int, time: int, begins: bool) -> None:
        """A workload did something at this time; `begins`: a process or a connection."""
        ...

    def step(self, now: int) -> None:
        """Begin and end sessions."""
        ...

    def close(self) -> None:
        """No more of that."""
        ...


class Watch(Protocol):
    """Who looks whether we record: agent/health/watch.py."""

    def step(self) -> None:
        """Look, and tell whoever asks."""
        ...

    def tell(self) -> None:
        """Only that: we are alive."""
        ...

    def close(self) -> None:
        """No more of that."""
        ...


class Recording:
    """Everything between `govern` and the last record."""

    def __init__(self, tracer: Tracer, outbox: Outbox, settings: Settings, is_over: Callable[[], bool] = lambda: False) -> None:
        """Probe the named files, then open the sessions. `is_over`: whether a step that waits for room should wait no more."""
        self.is_over = is_over
        self.tracer, self.outbox, self.drops = tracer, outbox, settings.drops
        self.whole: set[SessionId] = set()  # sessions of which everything is recorded
        self.private = Private(outbox, self._is_whole)
        self.undecided = Undecided(self.private)
        self.answers = Answers()
        self.pods: Pods | None = None
        self.watch: Watch | None = None
        self.clock = Steps(outbox.offset)
        uncovered = [str(file) for file in settings.attach if isinstance(tracer.attach(file), NotCovered)]
        sessions = sessions_of(settings)
        self.sessions = {tracer.govern(session.cgroup): session for session in sessions}
        self.ids = {number: session.id for number, session in self.sessions.items()}
        self.cut: dict[SessionId, Cut] = {}
        if settings.session.scan == "on" or settings.session.mode == "enforce":
            self.whole |= {session.id for session in sessions}
        self.lineage = Lineage(boot_id(), self.ids)
        self.streams = Streams(
            self.lineage,
            lambda process, handle: self.connections.has_begun(process, handle),
            lambda pid: self.connections.knows_all_of(pid),
        )
        self.is_strict = settings.session.record == "strict"
        self.strict = Strict({}, outbox, settings.strict_limit_s, self._note_strict)
        for number, session in self.sessions.items() if self.is_strict else ():
            self.keep(number, session)
        self.gate = tracer.open_gate()
        self.shortcomings = Shortcomings(tracer, self.gate, outbox)
        self.enforcement = Enforcement(tracer, settings.allows_edits, share_of(settings.cpu))
        self.glass = Suspension(GlassWatch(settings.glass, self.lineage.boot_id), settings.node, self)
        self.gate.on_let_go = self.enforcement.let_go
        self.gate.tracers = lambda: self.enforcement.tracers()
        self.apiservers = apiservers = {session.id: frozenset(session.started.apiservers) for session in sessions}
        stacks = Stacks(self._is_probed, tracer.kept_files.of)
        self.connections = Connections(self.lineage, Kernel(tracer.flows, tracer.forget, stacks.of), apiservers)
        self.endings = Endings(self.going_on, self.lineage, self.connections, lambda outcome: outbox.put(logged(outcome)))
        for session in sessions:
            self.shortcomings.begin(session.id)
            self.put(session.begin())
        if self.drops:
            self.note("settings", f"{self.drops} is dropped on purpose")
        if uncovered:
            self.note("programs", f"no TLS functions of their own: {' '.join(uncovered)}")
        self.glass.step()
        for number, session in self.sessions.items():
            self.gate.watch(number, session.cgroup)
            if terms := terms_of(settings.session):
                self.enforcement.begin(number, session.cgroup, terms, int(settings.session.pid or 0))
        self.outbox.flush()  # a session that is announced is known to the collector, whatever happens to us

    def step(self) -> int:
        """Take what has happened since the last step, or wait a moment; how many values there were."""
        values = self.tracer.poll(SOON_MS if self.outbox.is_wanted else POLL_MS)
        self._take(values)
        self.glass.step()
        self.put(self.enforcement.told())
        self._note_regrets()
        self._read_held()
        self.put(self.connections.look(now_ns()))
        self.endings.step()
        if self.pods:
            self.pods.step(now_ns())
        if self.watch:
            self.watch.step()
        if step := self.clock.look():
            self.note("clock", sentence(step))
        self.private.look()
        self.outbox.tick()
        self.strict.look()
        return len(values)

    def _is_whole(self, session: SessionId) -> bool:
        """Whether all is to be recorded; also where no API server is known, since any may be one."""
        return session in self.whole or not self.apiservers.get(session)

    def _note_regrets(self) -> None:
        for workload, text in self.enforcement.regrets():
            if session := self.sessions.get(workload):
                self.put([Note(session.id, now_ns(), "enforcement", text)])

    def _read_held(self) -> None:
        """Threads that stopped because the kernel could not copy what they wrote or read."""
        while True:
            with self.gate.held() as held:
                if held is None:
                    return
                self._take(self._paced(self.tracer.read_held(held)))

    def _paced(self, values: Iterable[Value]) -> Iterator[Value]:
        """What a stopped thread's memory has, as there is room for it; meanwhile others go on."""
        for value in values:
            while isinstance(value, TlsBytes) and self._must_wait(value.tls.workload):
                self._take(self.tracer.poll(POLL_MS))
                self.outbox.tick()
                if self.watch:
                    self.watch.tell()
            yield value

    def keep(self, number: int, session: Session) -> None:
        """Hold or end this workload rather than not record it."""
        self.strict.add(session.id, session.cgroup)
        self.tracer.keep_all(number)

    def _must_wait(self, workload: int) -> bool:
        session = self.sessions.get(workload)
        return session is not None and self.strict.must_wait(session.id) and not self.is_over()

    def _take(self, values: Iterable[Value]) -> None:
        for value in values:
            if isinstance(value, GroupMade | GroupEntered | GroupGone):
                if self.pods:
                    self.pods.take(value)
            elif self._is_whose(number := workload_of(value)):
                self._tell_pods(number, value)
                self.put(self._records(self._kept(value)))

    def _tell_pods(self, number: int | None, value: Value) -> None:
        """Before anything is made of it: it may begin another session. An end is no act of the workload's."""
        if self.pods and number is not None and not isinstance(value, ENDS):
            self.pods.heard(number, value.time, isinstance(value, BEGINNINGS))

    def going_on(self) -> list[Session]:
        """The sessions of which something may come, each once."""
        return [*self._current(), *(one.session for one in self.cut.values())]

    def _current(self) -> Iterable[Session]:
        """Those in which something may begin, each once."""
        return {session.id: session for session in self.sessions.values()}.values()

    def _is_whose(self, number: int | None) -> bool:
        """Whether it is known whose it is: something of an ignored container may still have been under way."""
        return number is None or number in self.sessions or (self.pods is not None and self.pods.knows(number, now_ns()))

    def end(self, ended: Ended) -> None:
        """The last records: what is still in the ring, what never came out of it, what the kernel could not do."""
        self.enforcement.close()
        self.strict.close()
        self.endings.close()
        if self.watch:
            self.watch.close()
            self.watch = None
        self.gate.close()
        if self.pods:
            self.pods.close()
            self.pods = None
            self._note_survivors()
        for _ in range(LAST_POLLS):
            if not self.step():
                break
        for value in self.tracer.final_positions():
            self.put(self._records(value))
        self._note_strays()
        self.put(self.connections.end(now_ns()))
        for one in self.cut.values():
            self.note_missing(one.session.id, self.shortcomings.last((), one.session.id))
            self.put([one.end(now_ns())])
        for session in self._current():
            own = [number for number, id_ in self.ids.items() if id_ == session.id]
            self.note_missing(session.id, self.shortcomings.last(own, session.id))
            self.put(session.end(ended.status, ended.left))
        self.outbox.flush()

    def say_last(self, workloads: Collection[int], session: Session) -> None:
        """The last records of a session that ends before we do."""
        for value in (value for workload in workloads for value in self.tracer.final_positions(workload)):
            self.put(self._records(value))
        self.put(self.connections.end(now_ns(), session.id))
        self.note_missing(session.id, self.shortcomings.last(workloads, session.id))
        self.put(session.end(self.lineage.status_of(session.id), 0))

    def forget(self, workloads: Iterable[int], session: Session | None, is_dropped: bool) -> None:
        """These numbers are nobody's any more. `is_dropped`: nobody sees what waited."""
        for workload in workloads:
            self.enforcement.end(workload)
            self.streams.forget(workload)
            self.shortcomings.forget(workload)
            self.gate.leave(workload)
            self.sessions.pop(workload, None)
            self.ids.pop(workload, None)
        if session is not None:
            if is_dropped:
                self.undecided.drop(session.id)
            self.connections.forget(session.id)
            self.strict.forget(session.id)
            self.shortcomings.forget_session(session.id)
            self.apiservers.pop(session.id, None)
            self.whole.discard(session.id)
            self.cut.pop(session.id, None)

    def _is_probed(self, descriptor: int) -> bool:
        return isinstance(self.tracer.attach(descriptor), Attached)

    def _note_survivors(self) -> None:
        """Containers that outlive their agent."""
        for session in self._current():
            if members(session.cgroup):
                self.put([Note(session.id, now_ns(), "agent", f"{ENDED}: {UNRECORDED}", complete=False)])

    def _note_strays(self) -> None:
        """Processes that moved, or were moved, out of their governed cgroup: from then on nothing of them was seen.

        Not those of which only the end is missing, for want of room in the ring: that is counted as such.
        """
        groups = [session.cgroup for session in self.sessions.values()]
        inside = set().union(*map(members, groups))
        strays = {key for key in self.lineage.living if key[0] not in inside}
        while strays and self.step():  # one that ended meanwhile has told so
            continue
        here = {session.id for session in self.sessions.values() if session.cgroup.exists()}
        alive = (self.lineage.living[key] for key in strays & self.lineage.living.keys() if started_ns(key[0]) is not None)
        for session, left in Counter(process.session for process in alive if process.session in here).items():
            text = f"{left} of its processes left its cgroup: what they did there is not recorded"
            self.outbox.put(Note(session, now_ns(), "workload", text, complete=False))

    def _kept(self, value: Value) -> Value:
        """The value, or that its bytes are dropped on purpose."""
        if not (self.drops and isinstance(value, TlsBytes) and self.drops.takes()):
            return value
        return TlsLost(value.tls, value.direction, value.position, len(value.data), value.time, Cause.DROPPED)

    def _records(self, value: Value) -> Iterator[Record]:
        match value:
            case TlsBytes():
                yield from self.streams.bytes(value)
            case TlsLost():
                yield from self.streams.loss(value)
            case TlsHeld():
                yield from self.enforcement.held(value, self.streams)
            case TlsClosed():
                self.enforcement.closed(value.tls, self.streams)
                yield from self.streams.closed(value)
            case ProcessExec() | ProcessFork() | ProcessExit():
                yield self._process(value)
            case SocketOpened() | SocketTied() | SocketHello() | SocketClosing() | SocketAnswer() | SocketDenied():
                self.enforcement.saw(value)
                yield from self.connections.take(value)

    def _process(self, value: ProcessExec | ProcessFork | ProcessExit) -> Record:
        if isinstance(value, ProcessExec):
            return self.lineage.executed(value)
        return self.lineage.forked(value) if isinstance(value, ProcessFork) else self.lineage.exited(value)

    def note_missing(self, session: SessionId, texts: Iterable[str]) -> None:
        """What of it could not be done."""
        self.put(Note(session, now_ns(), "kernel", text, complete=False) for text in texts)

    def note(self, subject: str, text: str, complete: bool = True) -> None:
        """Say something in every session."""
        for session in self._current():
            self.put([Note(session.id, now_ns(), subject, text, complete)])

    def _note_strict(self, session: SessionId, text: str, complete: bool) -> None:
        self.put([Note(session, now_ns(), SUBJECT, text, complete)])

    def put(self, records: Iterable[Record]) -> None:
        """These are said: to the collector, or when it is known whose they are."""
        for record in records:
            kept = self.undecided.put(record)
            if self.answers.begins(record):
                self.outbox.soon()
            if is_awaited(record):
                self.outbox.hurry()
            for more in self.connections.ties.saw(kept):
                self.undecided.put(more)


BEGINNINGS = ProcessExec | ProcessFork | SocketOpened
ENDS = ProcessExit | TlsClosed | SocketClosing
AS_ORDERED = {Name.PASS, Name.SKIP, Name.WRITE, Name.ANSWER, Name.AGAIN}


def is_awaited(record: Record) -> bool:
    """Whether somebody waits for it. Nobody does for an outcome that is as ordered."""
    return isinstance(record, Hold | BreakGlass) or (isinstance(record, Outcome) and record.order not in AS_ORDERED)


def workload_of(value: Value) -> int | None:
    """The number of the workload that a value is about; None where it tells none."""
    number: int | None = value.tls.workload if isinstance(value, TlsBytes | TlsLost | TlsClosed) else getattr(value, "workload", None)
    return number


def told(descriptor: int) -> bytes | None:
    """What the launcher has said since the last look: None if nothing, b"" if it closed the line."""
    if descriptor < 0:
        return None
    return os.read(descriptor, 4096) if readable([descriptor], 0) else None
