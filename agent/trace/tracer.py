"""Probes in, values out: the one door through which the rest of the agent reaches the kernel.

    with Tracer() as tracer:
        workload = tracer.govern(cgroup)
        tracer.attach("/usr/lib/x86_64-linux-gnu/libssl.so.3")
        for value in tracer.poll(timeout_ms=100): …

Order: values come in the order in which the kernel published them. A process's exec precedes its bytes; a fork precedes
what the child does; everything of a TLS object precedes its TlsClosed, and that precedes its process's ProcessExit (or
the ProcessExec by which the process became another program). A forked child's use of an inherited TLS object is
another `Tls`, from position 0 of its own.
"""

import ctypes
import os
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from chaperone.agent.gate.gate import Gate
from chaperone.agent.gate.held import Held
from chaperone.agent.gate.hooks import loads_by_cgroup
from chaperone.agent.groups.values import GroupEntered
from chaperone.agent.hold.layout import STALE_NS, Enforcing
from chaperone.agent.probe.apart import Parser
from chaperone.agent.sockets.hooks import SocketHooks
from chaperone.agent.sockets.values import Flow
from chaperone.agent.trace.abandoned import Abandoned
from chaperone.agent.trace.btf import Btf
from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.gaps import Gaps, Process
from chaperone.agent.trace.governed import GovernedCgroups, group_id
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Counters, Head, Stream, StreamKey
from chaperone.agent.trace.offsets import namespace, offsets
from chaperone.agent.trace.programs import resolved
from chaperone.agent.trace.records import CAUSES, decode, tls_of
from chaperone.agent.trace.requirements import Problem
from chaperone.agent.trace.shares import Shares
from chaperone.agent.trace.values import Attached, Lost, NotCovered, ProcessExec, ProcessExit, Tls, TlsBytes, TlsClosed, TlsLost, Value
from chaperone.agent.workload.kept import KeptFiles
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.records import Direction

TRACEPOINTS = {
    "on_group_made": "cgroup_mkdir",
    "on_group_gone": "cgroup_rmdir",
    "on_group_entered": "cgroup_attach_task",
    "on_exec": "sched_process_exec",
    "on_fork": "sched_process_fork",
    "on_exit": "sched_process_exit",
}
LOOK_MS = (2, 10)  # how often an idle poll looks into the ring: soon after something happened, then less often
CATCH_UP = 64  # polls before a held thread is served: a ring holds no more
TAKE, SLICE = 8 << 20, 1 << 20  # bytes of records in one poll, and where we may not take long over it


@dataclass(frozen=True, slots=True)
class TracerSettings:
    """`ring_pages`: size of the ring buffer in 4 KiB pages, a power of two.

    `spinners`: how many threads may wait at the gate at once without a signal, each keeping a processor busy.
    `take`: about how many bytes of records one poll takes; the rest waits in the ring.
    """

    ring_pages: int = 8192
    spinners: int = (os.cpu_count() or 1) - 1
    take: int = TAKE


class Tracer:
    """Loads the BPF programs; a context manager that removes every probe at the end. One thread uses it at a time."""

    def __init__(self, settings: TracerSettings = TracerSettings()) -> None:
        self.settings = settings
        self.gaps = Gaps()
        self.raw: deque[bytes] = deque()
        self.room = settings.take
        self.tops: dict[int, Path] = {}  # of the workloads that `govern` numbered
        self.before: dict[int, Lost] = {}  # what a workload's number had been charged with when it was given out
        self.exited: defaultdict[Process, list[StreamKey]] | None = None  # the table of streams by process, as it is in this poll

    def __enter__(self) -> Self:
        """Compile, load, attach the process hooks. OSError or RuntimeError, with a sentence, when that cannot be."""
        defines = {"RING_PAGES": self.settings.ring_pages, "SPINNERS": self.settings.spinners, "LOCK_STALE_NS": STALE_NS}
        self.parser = Parser()
        self.parser.start()
        self.kernel = _load({**offsets(Btf.of_kernel()), **namespace(), **defines})
        self.cgroups = GovernedCgroups(self.kernel)
        self.files, self.kept_files = ProbedFiles(self.kernel, self.parser), KeptFiles(self.kernel.closer)
        self.shares = Shares(self.kernel)
        self.abandoned = Abandoned(self.kernel, self.shares)
        self.sockets = SocketHooks(self.kernel)
        try:
            self._begin()
        except BaseException:
            self.parser.close()
            self.kernel.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove every probe and map."""
        self.sockets.close()
        self.kept_files.close()
        self.parser.close()
        self.kernel.close()

    def open_gate(self) -> Gate:
        """What looks into programs by itself, and holds them while it does; to be closed before we are."""
        return Gate(self.kernel, self.files, self.kept_files)

    def limits(self) -> Iterator[Problem]:
        """What this kernel lets no program do, as its loading showed."""
        if "FETCH_IS_REFUSED" in self.kernel.defines:
            yield Problem(PLAIN_ADDITION, "Linux 5.12 or later", is_limit=True)
        if not loads_by_cgroup(self.kernel):
            yield Problem(BY_TRACEPOINT, "Linux 6.16 or later", is_limit=True)

    def govern(self, cgroup: str | Path) -> int:
        """Record what runs in this cgroup and all below; returns the workload's number (1 to 1024)."""
        workload = self.cgroups.add(cgroup)
        try:
            self.sockets.attach(workload, cgroup)
        except OSError:
            self.cgroups.remove(workload, cgroup)
            raise
        self.before[workload] = self._counted(workload)
        self.tops[workload] = Path(cgroup)
        return workload

    def keep_all(self, workload: int) -> None:
        """Stop its threads to read their memory also where they had more than their share of the ring."""
        self.kernel.store("strict", ctypes.c_uint32(1), workload)

    def enforce(self, workload: int, is_strict: bool | None, covers: bool = False) -> None:
        """Hold each write of its TLS objects until somebody lets it go; `is_strict`: kill what cannot be held. None: hold nothing.
        `covers`: note who shakes hands, for the second lock. What could not be held before stays counted."""
        how = Enforcing(is_strict is not None, bool(is_strict), self.unheld(workload), covers)
        self.kernel.store("enforcing", how, workload)

    def unheld(self, workload: int) -> int:
        """Calls that had to be held and could not."""
        return int((self.kernel.entry("enforcing", Enforcing, workload) or Enforcing()).unheld)

    def release(self, workload: int) -> None:
        """Stop recording what `govern` began, or what the kernel gave a number to in an area; or to meet who is in an area."""
        self.sockets.detach(workload)
        self.cgroups.remove(workload, self.tops.pop(workload, None))
        if workload < 0:
            return
        self.kernel.store("strict", ctypes.c_uint32(0), workload)
        self.kernel.store("enforcing", Enforcing(), workload)
        self.before[workload] = self._counted(workload)
        self.gaps.forget_workload(workload)
        for key, stream in self._streams_of(workload):
            self._remove(key, stream)
        for cookie in self.sockets.of_workload(workload) if self._has_flows(workload) else ():
            self.forget(cookie)
        self.abandoned.forget(workload)

    def govern_area(self, cgroup: Path) -> int:
        """Record each cgroup in this one as a workload of its own, from its first process on: see `cgroups`. A number below 0."""
        area = -group_id(cgroup)
        self.sockets.attach(area, cgroup)
        self.cgroups.area(cgroup)
        self.tops[area] = cgroup
        return area

    def settle(self, cgroup: Path, is_known: bool = False) -> int:
        """The number of a cgroup of an area that has processes already; 0: it has one, which will be told. `is_known`: it was ignored."""
        return self.cgroups.settle(cgroup, is_known)

    def owner(self, workload: int) -> int:
        """The id of the cgroup of an area that the kernel gave a number; 0: none has it."""
        return self.cgroups.owner(workload)

    def ignore(self, workload: int, id_: int, cgroup: Path) -> None:
        """Record a cgroup of an area no more, nor what will be made in it; its number is another's some day."""
        self.cgroups.ignore(id_, cgroup)
        self.release(workload)

    def flows(self, cookie: int) -> tuple[Flow, Flow] | None:
        """What a connection has carried so far: OUT, IN; None if the kernel has forgotten it."""
        return self.sockets.flows(cookie)

    def forget(self, cookie: int) -> None:
        """The connection is over and counted."""
        for workload in self.sockets.forget(cookie):
            self.shares.forgot(workload)

    def attach(self, file: str | Path | int) -> Attached | NotCovered:
        """Probe the TLS functions of an ELF file, by path or open descriptor (which stays the caller's). Idempotent."""
        return self.files.attach(file)

    def poll(self, timeout_ms: int) -> list[Value]:
        """What happened since the last poll, at most about `take` bytes of it; waits up to `timeout_ms` for something."""
        deadline, look = time.monotonic() + timeout_ms / 1000, LOOK_MS[0]
        self.room = self.settings.take
        self.kernel.consume()
        while not self.raw and (left := deadline - time.monotonic()) > 0:
            self.kernel.wait(min(look, int(left * 1000) + 1))
            self.kernel.consume()
            look = min(2 * look, LOOK_MS[1])
        self.exited = None
        values = [*self._values(), *self.gaps.overdue(now_ns())]
        self.abandoned.step(time.monotonic())
        self.shares.tell()
        return values

    def read_held(self, held: Held) -> Iterator[Value]:
        """What one stopped thread's memory still has of its TLS call, after all that was published before it stopped."""
        raw = held.record.tls
        for _ in range(CATCH_UP):
            if not (before := self.poll(0)):
                break
            yield from before
        tls, direction = tls_of(raw.head, raw.handle, raw.born, raw.library), Direction(raw.direction)
        position, end = raw.position, raw.position + raw.size
        try:
            for data in held.pieces():
                yield from self.gaps.follow(TlsBytes(tls, direction, position, data, raw.head.time))
                position += len(data)
        except OSError:
            yield from self.gaps.follow(TlsLost(tls, direction, position, end - position, raw.head.time, CAUSES[raw.cause]))

    def final_positions(self, workload: int = 0) -> Iterator[Value]:
        """A TlsLost for each direction whose last bytes never came out of the ring, of one workload or all. Right only after a
        last `poll`."""
        now = now_ns()
        for key, _ in self._streams_of(workload):
            yield from self._remaining(key, now)

    @property
    def lost(self) -> Lost:
        """The kernel's own counts, of all workloads."""
        counts = [astuple(self.lost_of(slot)) for slot in (0, *self.cgroups.taken)]
        return Lost(*map(sum, zip(*counts, strict=True)))

    def lost_of(self, workload: int) -> Lost:
        """The counts of one workload; 0: of what is not known whose it was."""
        counts = zip(astuple(self._counted(workload)), astuple(self.before.get(workload, Lost())), strict=True)
        return Lost(*(now - before for now, before in counts))

    def _has_flows(self, workload: int) -> bool:
        """Whether the kernel has connections of it in its table: to walk through a full one takes a fifth of a second."""
        raw = self.kernel.entry("counters", Counters, workload) or Counters()
        return int(raw.flows) != self.shares.flows_of(workload)

    def _counted(self, slot: int) -> Lost:
        raw = self.kernel.entry("counters", Counters, slot) or Counters()
        return Lost(raw.chunks, raw.events, raw.streams, raw.calls, raw.connects, raw.packets)

    def _begin(self) -> None:
        self.kernel.check_layout()
        self.kernel.store("peer_seed", ctypes.c_uint64(secrets.randbits(64)))
        self.sockets.begin()
        self.kernel.open_ring("events", self._keep)
        for program, tracepoint in TRACEPOINTS.items():
            self.kernel.attach_tracepoint(program, tracepoint)

    def _keep(self, address: int, size: int) -> bool:
        """One record from the ring, copied. False: enough for this poll."""
        self.raw.append(ctypes.string_at(address, size))
        self.shares.took(address, size)
        self.room -= size
        return self.room > 0

    def _values(self) -> Iterator[Value]:
        while self.raw:
            value = decode(self.raw.popleft())
            if isinstance(value, ProcessExec | ProcessExit):
                yield from self._end_objects(value)
            elif isinstance(value, GroupEntered):
                self.cgroups.entered(value.workload, value.id)
                self.cgroups.supply()
            yield from self.gaps.follow(resolved(value) if isinstance(value, ProcessExec) else value)

    def _end_objects(self, of: ProcessExec | ProcessExit) -> Iterator[Value]:
        """The TLS objects of a process image that is gone: what is missing of them, and that they are closed."""
        if isinstance(of, ProcessExit):
            self.abandoned.saw_end(of.workload)
            if self.lost_of(of.workload) != Lost():
                yield from self._unseen_objects(of)
        for tls in self.gaps.of_process(of.pid, of.started):
            key = StreamKey(tls.started, tls.handle, tls.pid, tls.image)
            stream = self.kernel.entry("streams", Stream, key)
            out_position, in_position = stream.positions if stream else self.gaps.reached(tls)
            if stream:
                self._remove(key, stream)
            yield from self.gaps.follow(TlsClosed(tls, of.time, out_position, in_position))

    def _unseen_objects(self, of: ProcessExit) -> Iterator[Value]:
        """What is missing of objects of which perhaps no record at all came through. The table is walked once a poll, however many
        processes ended: all that came out of the ring had ended before."""
        if self.exited is None:
            self.exited = defaultdict(list)
            for key in self.kernel.entries("streams", StreamKey):
                self.exited[key.pid, key.started].append(key)
        for key in self.exited.pop((of.pid, of.started), ()):
            yield from self._remaining(key, of.time)

    def _streams_of(self, workload: int) -> list[tuple[StreamKey, Stream]]:
        """The streams that the kernel knows of one workload, or of all (0)."""
        found = ((key, self.kernel.entry("streams", Stream, key)) for key in self.kernel.entries("streams", StreamKey))
        return [(key, stream) for key, stream in found if stream and workload in (0, stream.workload)]

    def _remove(self, key: StreamKey, stream: Stream) -> None:
        self.kernel.remove("streams", key)
        self.shares.ended(stream.workload)

    def _remaining(self, key: StreamKey, time: int) -> Iterator[Value]:
        """What is missing of one object as the kernel knows it, and its end if that could not be told before."""
        if (stream := self.kernel.entry("streams", Stream, key)) is None:
            return
        out_position, in_position = stream.positions
        if stream.closed:
            self._remove(key, stream)
            yield from self.gaps.follow(TlsClosed(_tls(key, stream), time, out_position, in_position))
        else:
            yield from self.gaps.end(_tls(key, stream), (out_position, in_position), time)


PLAIN_ADDITION = "the kernel lets no probe add and fetch at once: of two writes at once to one Go connection without a lock one may be lost"
BY_TRACEPOINT = "the kernel lets no cgroup's hook send signals: each TCP connect of the node, governed or not, passes a tracepoint"


def _load(defines: dict[str, int]) -> Kernel:
    """Load, with atomic fetch-and-add where the kernel has it (5.12): that is found out by trying."""
    text = flatten("chaperone.c")
    kernel = Kernel(text, defines)
    try:
        kernel.load_uprobe("on_ssl_return")
    except OSError:
        kernel.close()
        kernel = Kernel(text, {**defines, "FETCH_IS_REFUSED": 1})
        kernel.load_uprobe("on_ssl_return")
    return kernel


def _tls(key: StreamKey, stream: Stream) -> Tls:
    head = Head(started=key.started, pid=key.pid, image=key.image, workload=stream.workload)
    return tls_of(head, stream.handle, stream.born, stream.library)
