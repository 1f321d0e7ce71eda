"""One thread that traces one workload's processes and sorts their stops.

ptrace binds a tracee to a thread, so all requests are made here: others use `call`, or the `turn` for what asks nothing of ptrace. A
workload that floods itself with signals delays only its own Seizer, which takes no stops for a while when they have cost too much
(agent/hold/allowance.py): who stopped waits in the kernel, and what others ask of this thread is done. What is not ours passes
unchanged: signals, job stops, forks, exits. A signal that `on_signal` takes leaves its thread stopped, seen by nobody but us, until
`release`.

Nobody is left stopped: an exception while a stop is handled lets that thread go on and is kept in `faults`; when this
thread or process ends, however it ends, the kernel detaches what it traced, running, or kills what `on_signal` marked
with EXITKILL. A late one (stopped for real before it was seized) is kept in that stop, which is ended for its other threads.
"""

import contextlib
import errno
import logging
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Generic, TypeVar

from chaperone.agent.hold import ptrace
from chaperone.agent.hold.allowance import SHARE, Allowance
from chaperone.agent.hold.ptrace import FOLLOW, Event, Kind, Option, Stop
from chaperone.agent.workload.processes import status_of_thread

LOG = logging.getLogger("chaperone.agent.hold")
WAKE = signal.SIGUSR2  # interrupts our waitpid, does nothing else
RING_S = (0.001, 0.002, 0.004, 0.008, 0.016)  # a wake-up sent just before waitpid begins is lost: ring again
FAULTS = 32
SECOND = 1_000_000_000
ASKED_EVERY_NS = 1_000_000
Result = TypeVar("Result")


class Seizer(threading.Thread):
    """Traces what `seize` and `late` name, and all that comes of it. `on_signal(stop)`, `on_end(tid)` and `on_rest()` run in this thread.

    `on_signal` is asked about signals and job stops, and about any stop in which a thread comes back that was to take part in a job stop
    (`stop_too`): true keeps the thread. Make it in the main thread, which alone may install handlers of signals.
    """

    def __init__(
        self,
        on_signal: Callable[[Stop], bool],
        on_end: Callable[[int], None] = lambda _tid: None,
        on_rest: Callable[[], None] = lambda: None,
        share: float = SHARE,
    ) -> None:
        super().__init__(name="seizer", daemon=True)
        self.on_signal, self.on_end, self.on_rest = on_signal, on_end, on_rest
        self._allowance, self._asked_ns, self.is_resting = Allowance(share), 0, False
        self.seized: set[int] = set()
        self.kept: dict[int, Kind] = {}
        self.faults: deque[str] = deque(maxlen=FAULTS)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._late: set[int] = set()
        self._stopping: set[int] = set()  # kept, and on their way into the job stop of their process
        self.marked: set[int] = set()  # they and their processes end when we do
        self._over = False
        self.turn = threading.Lock()  # of whoever changes what stops and commands change: this thread while it does not wait
        signal.signal(WAKE, lambda _number, _frame: None)
        self.start()

    def call(self, function: Callable[[], Result]) -> Result:
        """Run it in this thread; its result, or its exception. RuntimeError when this thread has ended. Not for who has the `turn`."""
        if threading.current_thread() is self:
            return function()
        asked = _Asked(function)
        self._commands.put(asked.run)
        for pause_s in chain(RING_S, repeat(RING_S[-1])):
            if not self.is_alive() and not asked.is_done(0):
                raise RuntimeError("the thread that traces has ended")
            self.wake()
            if asked.is_done(pause_s):
                break
        return asked.result()

    def later(self, function: Callable[[], object]) -> None:
        """Run it in this thread, before it takes another stop, without waiting for that."""
        self._commands.put(lambda: self._guarded(function))
        if threading.current_thread() is not self:
            self.wake()

    def nudge(self) -> None:
        """Wake it again if something waits for it: to be called now and then."""
        if not self._commands.empty():
            self.wake()

    def wake(self) -> None:
        """Have it look at its commands."""
        if self.ident is not None and self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(self.ident, WAKE)

    def seize(self, pid: int) -> int:
        """Trace every thread of a process; how many. PermissionError: another traces it (`tracer_of` says who)."""
        return self.call(lambda: self._seize(pid))

    def late(self, tid: int) -> None:
        """Take a thread that a signal of ours stops for real: seize its process; `on_signal` is asked when it has stopped."""
        self.call(lambda: self._take_late(tid))

    def look_at(self, tid: int) -> None:
        """Take what this one has stopped for, if it has, before all others' stops. In this thread."""
        with contextlib.suppress(ChildProcessError):
            if (stop := ptrace.wait(tid, ptrace.WNOHANG)) is not None:
                self._take(stop)

    def release(self, tid: int, deliver: int = 0) -> None:
        """Let a kept thread go on. Nothing happens to one that has ended."""
        self.call(lambda: self._release(tid, deliver))

    def stop_too(self, tid: int, number: int = 0) -> None:
        """Have a kept thread take part in its process's job stop, with `number` begin one: it comes back kept. In this thread.

        Asked to pause first, it meets us again before it runs, whatever became of the stop meanwhile.
        """
        if self.kept.pop(tid, None) is not None:
            self._stopping.add(tid)
            with contextlib.suppress(ProcessLookupError):
                ptrace.interrupt(tid)
                ptrace.resume(tid, number)

    def mark(self, tid: int, dies_with_us: bool) -> None:
        """Whether a thread's process is to be killed when this thread or process ends. In this thread; counts from its next stop on."""
        if dies_with_us == (tid in self.marked):
            return
        (self.marked.add if dies_with_us else self.marked.discard)(tid)
        if tid not in self.kept:
            with contextlib.suppress(ProcessLookupError):
                ptrace.interrupt(tid)

    def gone(self, tid: int) -> None:
        """A kept thread has ended, and its last report was taken by who dealt with it."""
        self.call(lambda: self._forget(tid))

    def close(self) -> None:
        """Let everybody go and end this thread."""
        if self.is_alive():
            self.call(self._close)
            self.join()

    def run(self) -> None:
        """Until `close`."""
        while not self._over:
            self._do_commands()
            self._keep_to_share()
            try:
                stop = None if self._over else ptrace.wait()
            except ChildProcessError:
                self._wait_for_command()
                continue
            if stop is not None:
                with self.turn:
                    self._take(stop)

    def _keep_to_share(self) -> None:
        """Rest when it is time. Asked now and then: the thread's own time is a system call away, a third of what many a stop takes."""
        now = time.monotonic_ns()
        if now - self._asked_ns < ASKED_EVERY_NS:
            return
        self._asked_ns = now
        if rest_ns := self._allowance.rest(now, time.thread_time_ns()):
            self._do(lambda: self._guarded(self.on_rest))
            self._rest(now + rest_ns)

    def _rest(self, end: int) -> None:
        """Do only what is asked of us until then."""
        self.is_resting = True
        while not self._over and (left_ns := end - time.monotonic_ns()) > 0:
            with contextlib.suppress(queue.Empty):
                self._do(self._commands.get(timeout=left_ns / SECOND))
        self.is_resting = False

    def _wait_for_command(self) -> None:
        """Nobody is traced: there is nothing else to wait for."""
        self._do(self._forget_all)
        self._do(self._commands.get())

    def _forget_all(self) -> None:
        for tid in list(self.seized):
            self._forget(tid)

    def _do_commands(self) -> None:
        while not self._commands.empty():
            self._do(self._commands.get())

    def _do(self, command: Callable[[], None]) -> None:
        with self.turn:
            command()

    def _take(self, stop: Stop) -> None:
        """Sort one stop. Killed while stopped: the thread's end comes next."""
        try:
            self._sort(stop)
        except ProcessLookupError:
            return
        except Exception as error:  # noqa: BLE001 - were this thread to end, all that it holds would go free
            self._fault(f"{stop.kind.value} {stop.number}", error)
            with contextlib.suppress(ProcessLookupError):
                self._let_go(stop)

    def _guarded(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:  # noqa: BLE001 - as above
            self._fault("command", error)

    def _fault(self, what: str, error: Exception) -> None:
        self.faults.append(f"{what}: {type(error).__name__}")
        LOG.error("a fault while tracing, at %s", what, exc_info=error)

    def _sort(self, stop: Stop) -> None:
        if stop.kind is Kind.ENDED:
            self._forget(stop.tid)
            return
        self.seized.add(stop.tid)
        if (stop.kind in (Kind.SIGNAL, Kind.JOB_STOP) or stop.tid in self._stopping) and self.on_signal(stop):
            self._keep(stop)
        elif stop.kind is Kind.JOB_STOP:
            ptrace.listen(stop.tid)
            self._stop_others(process_of(stop.tid))
        else:
            self._pass(stop)

    def _stop_others(self, pid: int) -> None:
        """A process counts as stopped when all of its threads are, those that we keep too."""
        for tid in [tid for tid, kind in self.kept.items() if kind is Kind.SIGNAL and process_of(tid) == pid]:
            self.stop_too(tid)

    def _keep(self, stop: Stop) -> None:
        """A job stop that our own signal began is ended for the others; this thread stays in its ptrace stop all the same."""
        kind = stop.kind
        if kind is Kind.JOB_STOP and stop.tid in self._late:
            os.kill(process_of(stop.tid), signal.SIGCONT)
            kind = Kind.SIGNAL
        self._late.discard(stop.tid)
        self._stopping.discard(stop.tid)
        self.kept[stop.tid] = kind

    def _pass(self, stop: Stop) -> None:
        if stop.kind is Kind.EVENT and stop.number == Event.EXEC and (before := ptrace.message(stop.tid)) != stop.tid:
            self._forget(before)  # another thread than the first executed, and has the first one's id from now on
        if stop.kind is Kind.PAUSE:
            ptrace.set_options(stop.tid, self._options(stop.tid))
        ptrace.resume(stop.tid, stop.number if stop.kind is Kind.SIGNAL else 0)

    def _options(self, tid: int) -> Option:
        return FOLLOW | Option.EXITKILL if tid in self.marked else FOLLOW

    def _let_go(self, stop: Stop) -> None:
        self.kept.pop(stop.tid, None)
        ptrace.resume(stop.tid)

    def _forget(self, tid: int) -> None:
        self.seized.discard(tid)
        self.kept.pop(tid, None)
        self._late.discard(tid)
        self._stopping.discard(tid)
        self.marked.discard(tid)
        self.on_end(tid)

    def _seize(self, pid: int) -> int:
        """A thread born meanwhile is found by the next look, or TRACECLONE gives it to us."""
        known: set[int] = set()
        while new := set(tasks(pid)) - known:
            for tid in new:
                self._seize_thread(tid)
            known |= new
        return len(known)

    def _seize_thread(self, tid: int) -> None:
        try:
            ptrace.seize(tid, FOLLOW)
        except OSError as error:
            if error.errno != errno.ESRCH and not (error.errno == errno.EPERM and self._is_ours_or_over(tid)):
                raise
        self.seized.add(tid)

    def _is_ours_or_over(self, tid: int) -> bool:
        state, tracer = _state_and_tracer(tid)
        return state in "ZX" or tracer == threading.get_native_id()

    def _take_late(self, tid: int) -> None:
        """Its stop is told as any other: of the signal that has not stopped it yet, or as a job stop."""
        if tid not in self.seized:
            self._late.add(tid)
            self._seize(process_of(tid))

    def _release(self, tid: int, deliver: int) -> None:
        kind = self.kept.pop(tid, None)
        if kind is None:
            return
        with contextlib.suppress(ProcessLookupError):
            ptrace.set_options(tid, self._options(tid))
            if kind is Kind.JOB_STOP and not deliver:
                ptrace.listen(tid)
            else:
                ptrace.resume(tid, deliver)

    def _close(self) -> None:
        self._over = True
        for tid in list(self.kept):
            self._detach(tid)
        for tid in list(self.seized):
            with contextlib.suppress(ProcessLookupError):
                ptrace.interrupt(tid)
        while self.seized and (stop := _waited()) is not None:
            self._part(stop)

    def _part(self, stop: Stop) -> None:
        """The last stop of each: its signal is not lost."""
        if stop.kind is Kind.ENDED:
            self._forget(stop.tid)
        else:
            self._detach(stop.tid, stop.number if stop.kind is Kind.SIGNAL and not self.on_signal(stop) else 0)

    def _detach(self, tid: int, deliver: int = 0) -> None:
        self.seized.discard(tid)
        self.kept.pop(tid, None)
        with contextlib.suppress(ProcessLookupError):
            ptrace.set_options(tid, Option(0))
            ptrace.detach(tid, deliver)


class _Asked(Generic[Result]):
    """What one thread asks of another. A Future does the same with locks in Python, which takes five times as long."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._is_under_way = threading.Lock()
        self._is_under_way.acquire()

    def run(self) -> None:
        """Do it."""
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self._error = error
        finally:
            self._is_under_way.release()

    def is_done(self, timeout_s: float) -> bool:
        """Whether it is, within that time."""
        if not self._is_under_way.acquire(timeout=timeout_s):
            return False
        self._is_under_way.release()
        return True

    def result(self) -> Result:
        """Of what is done."""
        if self._error is not None:
            raise self._error
        return self._results[0]


def _waited() -> Stop | None:
    """The next report; None when there is nobody left."""
    while True:
        try:
            stop = ptrace.wait()
        except ChildProcessError:
            return None
        if stop is not None:
            return stop


def tasks(pid: int) -> list[int]:
    """The threads of a process. ProcessLookupError when it is gone."""
    try:
        return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone") from None


def process_of(tid: int) -> int:
    """The process that a thread belongs to."""
    return int(status_of_thread(tid)["Tgid"])


def _state_and_tracer(tid: int) -> tuple[str, int]:
    try:
        found = status_of_thread(tid)
    except ProcessLookupError:
        return "X", 0
    return found["State"][0], int(found["TracerPid"])
