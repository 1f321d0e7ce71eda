"""Threads that wait at the gate: seized, trapped on their way out of the kernel, let go. All from one thread.

Nobody is left stopped: when this thread or process ends, the kernel detaches whom it traced, and they run on. Only a SIGSTOP
that bpf/gate.h sent because we came late outlives that; it is in `halted` until we took it back, which we do as soon as we
have the thread.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from chaperone.agent.gate.layout import Thread
from chaperone.agent.gate.maps import Map
from chaperone.agent.hold import ptrace
from chaperone.agent.hold.ptrace import Kind, Option, Stop
from chaperone.agent.workload.processes import PROC, stat_of, tracer_of

HASTE_S = 0.05  # after its arrival a thread is looked at often until it has stopped
PATIENCE_S = 10.0  # as long as the agent may take for its look: who connects waits no longer, whatever keeps it
CLOSE_S = 2.0  # at the end, one in the kernel's hands for longer is left to be let go by the kernel
EINTR, CONNECT = 2**64 - 4, 42  # as registers show them
CONNECTING = frozenset({CONNECT, 44, 46})  # and sendto and sendmsg, which connect with MSG_FASTOPEN
IO_URING_ENTER = 426
WORKER = 0x10  # PF_IO_WORKER, include/linux/sched.h since 5.12: in field 9 of proc_pid_stat(5)
SYSCALL_SIZE = 2


@dataclass(slots=True)
class Waiter:
    """A seized thread. `workload`: whose it is; `deliver`: a signal of somebody else's that it stopped for; `is_leaving`: it need not wait
    any more."""

    since: float
    workload: int = 0
    is_connecting: bool = True
    has_stopped: bool = False
    deliver: int = 0
    is_leaving: bool = False


class Waiting:
    """Who waits, by thread. `late`: the workloads of threads that had gone on before they stopped; `foreign`: threads that we may not
    seize, because another tracer has them or the kernel lets nobody trace (Yama 3), and until when a real stop of ours holds them.
    `agent`: the process whose threads may be such a tracer (agent/hold); 0: none."""

    def __init__(self, halted: Map[Thread, Thread], agent: int = 0) -> None:
        self.halted, self.agent = halted, agent
        self.threads: dict[int, Waiter] = {}
        self.foreign: dict[int, float] = {}
        self.late: list[int] = []

    def take(self, tid: int, workload: int = 0, is_connecting: bool = True) -> None:
        """Seize a thread of a workload and have it trap. A foreign one goes on, or stays in its stop until it is released."""
        if tid in self.threads:
            return
        try:
            ptrace.seize(tid, Option(0))
            self.threads[tid] = Waiter(time.monotonic(), workload, is_connecting)
            ptrace.interrupt(tid)
        except ProcessLookupError:
            return
        except PermissionError:
            self.foreign[tid] = time.monotonic() + PATIENCE_S

    def is_unsettled(self) -> bool:
        """Whether somebody who arrived just now is about to stop."""
        now = time.monotonic()
        return any(not waiter.has_stopped and now - waiter.since < HASTE_S for waiter in self.threads.values())

    def settle(self) -> None:
        """See who has stopped, and end real stops at once: the other threads of that process have nothing to wait for. Who has waited to
        connect for too long goes on: the agent, which stands still, will find that out and say so."""
        overdue = time.monotonic() - PATIENCE_S
        for tid, waiter in list(self.threads.items()):
            if not waiter.has_stopped:
                self._settle(tid, waiter)
            elif waiter.is_connecting and waiter.since < overdue:
                self.release(tid)

    def release(self, tid: int) -> None:
        """Let a thread go on, as soon as it has stopped; a foreign one at once, or by `resume_halted` when its stop is still to come."""
        if self.foreign.pop(tid, 0):
            self._resume(tid)
        if waiter := self.threads.get(tid):
            waiter.is_leaving = True
            if waiter.has_stopped:
                self._let_go(tid, waiter)

    def resume_halted(self) -> None:
        """End the real stops of threads that wait for nobody any more."""
        now = time.monotonic()
        self.foreign = {tid: until for tid, until in self.foreign.items() if until > now}
        for thread in list(self.halted.keys()):
            if thread.number not in self.threads and thread.number not in self.foreign:
                self._resume(thread.number)

    def close(self) -> None:
        """Let all go."""
        deadline = time.monotonic() + CLOSE_S
        self.foreign.clear()
        for tid in list(self.threads):
            self.release(tid)
        while self.threads and time.monotonic() < deadline:
            self.settle()
            time.sleep(0.001)
        self.resume_halted()

    def _settle(self, tid: int, waiter: Waiter) -> None:
        try:
            stop = ptrace.wait(tid, ptrace.WNOHANG)
        except ChildProcessError:
            del self.threads[tid]
            return
        if stop is not None and stop.kind is Kind.ENDED:
            del self.threads[tid]
        elif stop is not None:
            self._stopped(stop, waiter)

    def _stopped(self, stop: Stop, waiter: Waiter) -> None:
        waiter.has_stopped = True
        was_ours = self._resume(stop.tid)
        if stop.kind is Kind.SIGNAL and not (was_ours and stop.number == signal.SIGSTOP):
            waiter.deliver = stop.number
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            if waiter.is_connecting and not _is_in_its_connect(stop.tid):
                self.late.append(waiter.workload)
        if waiter.is_leaving:
            self._let_go(stop.tid, waiter)

    def _let_go(self, tid: int, waiter: Waiter) -> None:
        del self.threads[tid]
        with contextlib.suppress(ProcessLookupError):
            if not waiter.deliver:
                _connect_again(tid)
            ptrace.detach(tid, waiter.deliver)

    def _resume(self, tid: int) -> bool:
        """End the stop that bpf/gate.h began, if it did: SIGCONT also takes a SIGSTOP back that waits to be delivered. It takes those
        of the process's other threads along: where the agent traces, a held call would get away so, and its tracer has ours by itself."""
        if (process := self.halted.get(Thread(tid))) is None or not process.number or self._is_the_agents(tid):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.number, signal.SIGCONT)
        self.halted.remove(Thread(tid))
        return True

    def _is_the_agents(self, tid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            tracer = tracer_of(tid)
            return tracer != 0 and (PROC / str(self.agent) / "task" / str(tracer)).exists()
        return False


def _is_in_its_connect(tid: int) -> bool:
    """Whether a thread that has stopped keeps its program from going on with the connection. One of io_uring's workers does not: it shows
    the registers of who made it, whom nobody stopped."""
    call = ptrace.registers(tid).orig_rax
    return call in CONNECTING or (call == IO_URING_ENTER and not int(stat_of(tid)[6]) & WORKER)


def _connect_again(tid: int) -> None:
    """A connect with a time limit (SO_SNDTIMEO) is ended with EINTR by any stop (signal(7)): have it called again."""
    values = ptrace.registers(tid)
    if values.orig_rax == CONNECT and values.rax == EINTR:
        values.rax = CONNECT
        values.rip -= SYSCALL_SIZE
        ptrace.set_registers(tid, values)
