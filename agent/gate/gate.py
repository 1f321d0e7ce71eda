"""The gate: who executes is looked into, who connects waits until that is done.

What is looked into and probed is agent/workload/programs.py's; what was marked as known, bpf/gate.h compares at the next
connect. A process keeps the door (agent/gate/doorkeeper.py); this thread may take its time.
"""

import ctypes
import os
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaperone.agent.gate.door import Door
from chaperone.agent.gate.held import Held, Readers
from chaperone.agent.gate.hooks import ConnectHooks
from chaperone.agent.gate.layout import GateKind, GateRecord, GateState, ImageKey, ReadRecord
from chaperone.agent.gate.sweep import Sweep
from chaperone.agent.gate.turns import Turns
from chaperone.agent.gate.waiting import PATIENCE_S
from chaperone.agent.trace.files import GO_RETURNS, Identity, ProbedFiles, identity_of
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Head
from chaperone.agent.trace.values import Attached, NotCovered
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.kept import KeptFiles
from chaperone.agent.workload.processes import members, now_ns
from chaperone.agent.workload.programs import Programs

TICK_S = 0.1
PATIENCE_NS = int(PATIENCE_S * 1e9)  # who has waited for longer goes on unlooked
REFUSED_LIMIT = 256  # files of one workload that are counted


class Gate(threading.Thread):
    """`watch` cgroups, `close` at the end. By workload (0: not known whose): `late`, threads that went on unlooked; `refused`, files that
    speak TLS and got no probes."""

    def __init__(self, kernel: Kernel, files: ProbedFiles, kept: KeptFiles) -> None:
        super().__init__(name="gate", daemon=True)
        self.kernel, self.files, self.kept = kernel, files, kept
        self.hooks = ConnectHooks(kernel)
        self.door = Door(kernel)
        self.door.start()
        self._loading = threading.Thread(target=kernel.load_uprobes, args=(GO_RETURNS,), name="loading", daemon=True)
        self._loading.start()  # what takes the verifier long, on a busy node: not while somebody waits
        self.programs = Programs(self._attach, self._knows, self._mark, kept.keep, kernel.closer)
        self.watched: dict[int, Path] = {}
        self.sweep = Sweep(files, self.programs, self._pids)
        self.late = Counter[int]()
        self.refused: defaultdict[int, set[Identity]] = defaultdict(set)
        self.broken = False
        self._connecting: Turns[GateRecord] = Turns()
        self._newcomers: deque[Image] = deque()
        self._held: deque[ReadRecord] = deque()
        self._readers = Readers()
        self._holding = threading.Lock()
        self._over = False
        self.tracers: Callable[[], set[int]] = set  # the threads of agent/hold, whose tracees the door can't have
        self.on_let_go: Callable[[int], None] = lambda _tid: None

    @property
    def missed(self) -> int:
        """Connects and programs that went unlooked, of all workloads."""
        return self.programs.missed.total() + self.late.total() + self.door.late.total() + self.broken

    def shortcomings(self, workload: int) -> Iterator[tuple[str, int]]:
        """What of a workload went unlooked and why, and how often; 0: of what is not known whose it was."""
        yield "programs or libraries were not looked into, too many at once", self.programs.missed[workload]
        yield f"threads went on unlooked after {PATIENCE_NS // 10**9} s at the connect gate", self.late[workload]
        yield "connects were over before their thread could be stopped", self.door.late[workload]
        yield "files that speak TLS got no probes from the kernel", len(self.refused.get(workload, ()))

    def watch(self, slot: int, cgroup: Path, is_new: bool = False) -> None:
        """Let no thread of this cgroup connect unlooked; look into what already runs there, unless that `is_new`."""
        if self.ident is None:
            self.door.await_kept()
            self.kernel.store("gate_state", GateState(reads=1, tracer=os.getpid()))
            self.start()
        self.hooks.attach(slot, cgroup)
        self.watched[slot] = cgroup
        if not is_new:
            self.welcome(slot, cgroup)

    def welcome(self, workload: int, cgroup: Path) -> None:
        """Look into what already runs there."""
        self._newcomers.extend(Image(pid, 0, -1, workload) for pid in members(cgroup))

    def leave(self, slot: int) -> None:
        """Watch it no more. Its number will be another's."""
        self.hooks.detach(slot)
        self.watched.pop(slot, None)
        self._readers.forgive(slot)
        for counts in (self.programs.missed, self.late, self.door.late, self.refused):
            counts.pop(slot, None)

    @contextmanager
    def held(self) -> Iterator[Held | None]:
        """The next thread that stands at the end of a TLS call to have its memory read, until the block ends; None if there is none."""
        record = self._next_held()
        try:
            yield None if record is None else Held(record, self.door.pid, self._readers, self.tracers())
        finally:
            if record is not None:
                self._let_go(record.thread)

    def close(self) -> None:
        """Watch nobody, let everybody go, end the threads. What was counted stays."""
        self._over = True
        self._loading.join()
        if self.ident is None:
            self._open()
        else:
            self.join()
        self._readers.close()

    def run(self) -> None:
        """Until `close`, or until a thread of the gate fails: then nobody must wait for it any more."""
        try:
            while not self._over and self.door.is_kept:
                self._hear(0 if self._connecting or self._newcomers else min(TICK_S, self.programs.due_s(), self.sweep.due_s()))
                self._work()
        finally:
            self.broken = not self._over
            self._open()

    def _open(self) -> None:
        self.hooks.close()
        self.door.close()
        with self._holding:
            self._held.clear()  # they run on: what their memory holds now is not what they wrote

    def _hear(self, timeout_s: float) -> None:
        """Wait for an arrival, and take all that there are."""
        while (record := self.door.arrival(timeout_s)) is not None:
            timeout_s = 0
            if isinstance(record, ReadRecord):
                self._held.append(record)
            elif record.head.kind == GateKind.CONNECT:
                self._connecting.put(record.head.workload, record)
            else:
                self.programs.executed(_image(record))

    def _work(self) -> None:
        """One look: first for those who wait."""
        while (held := self._next_held(PATIENCE_NS)) is not None:
            self.late[held.tls.head.workload] += 1
            self._let_go(held.thread)
        if self._connecting:
            self._serve(self._connecting.take())
        elif self._newcomers:
            self.programs.look(self._newcomers.popleft())
        else:
            self.programs.look_due()
            self.sweep.step()
            self.kept.sweep()

    def _next_held(self, age_ns: int = 0) -> ReadRecord | None:
        """Taken by one of two threads: by who reads its memory, or by ours when it has waited for `age_ns`."""
        with self._holding:
            is_due = self._held and _age_ns(self._held[0].tls.head) >= age_ns
            return self._held.popleft() if is_due else None

    def _serve(self, record: GateRecord) -> None:
        """Look into the process that one thread stands for."""
        if _age_ns(record.head) <= PATIENCE_NS:
            self.programs.look(_image(record))
        self.late[record.head.workload] += _age_ns(record.head) > PATIENCE_NS  # also while it was looked into: the door let it go
        self._let_go(record.thread)

    def _let_go(self, tid: int) -> None:
        self.door.let_go(tid)
        self.on_let_go(tid)

    def _pids(self) -> Iterator[int]:
        for cgroup in tuple(self.watched.values()):
            yield from members(cgroup)

    def _attach(self, image: Image, descriptor: int) -> bool:
        found = self.files.attach(descriptor)
        self._note_refused(image.workload, identity_of(descriptor), found)
        return not (isinstance(found, NotCovered) and found.is_for_now)

    def _knows(self, image: Image, identity: Identity) -> bool:
        found = self.files.known(identity)
        if image.workload:  # of the others' it is told where it was met first
            self._note_refused(image.workload, identity, found)
        return found is not None

    def _note_refused(self, workload: int, identity: Identity, found: Attached | NotCovered | None) -> None:
        if isinstance(found, NotCovered) and found.refused and len(self.refused[workload]) < REFUSED_LIMIT:
            self.refused[workload].add(identity)

    def _mark(self, image: Image, code: int) -> None:
        if image.number >= 0:
            self.kernel.store("looked", ctypes.c_uint64(code), ImageKey(image.started, image.pid, image.number))


def _age_ns(head: Head) -> int:
    return now_ns() - int(head.time)


def _image(record: GateRecord) -> Image:
    return Image(record.head.pid, record.head.started, record.head.image, record.head.workload)
