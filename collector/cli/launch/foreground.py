"""The launcher while CMD runs: the shell sees one job, the terminal belongs to CMD, signals and stops pass through.

Launcher and CMD share a process group, so what the terminal sends reaches CMD without us. We must not die of it: those
signals get handlers that do nothing (handlers end at exec, SIG_IGN would not). What is sent to us alone is passed on.
When CMD stops, we stop as it did, so that the shell sees a stopped job; continued, we continue CMD.
"""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
NOTICED = (signal.SIGCHLD, signal.SIGCONT)


@contextmanager
def in_place_of_the_shell() -> Iterator[int]:
    """Survive what the terminal sends; yields a descriptor that delivers the numbers of the signals we got."""
    arrivals, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wanted = [number for number in (*PASSED_ON, *FROM_TERMINAL, *NOTICED) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _notice) for number in wanted}
    old_wake = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield arrivals
    finally:
        signal.set_wakeup_fd(old_wake)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(arrivals)
        os.close(wake)


def wait(pid: int, arrivals: int, watched: Mapping[int, Callable[[], None]]) -> int:
    """Until CMD has ended: its status as a shell shows it. `watched`: called once when the descriptor becomes readable."""
    left = dict(watched)
    while (status := _reaped(pid)) is None:
        ready, _, _ = select.select([arrivals, *left], [], [])
        for descriptor in ready:
            if descriptor == arrivals:
                _pass_on(pid, arrivals)
            else:
                left.pop(descriptor)()
    return status


def _notice(number: int, frame: FrameType | None) -> None:
    """Nothing: the wake-up descriptor has the number."""


def _pass_on(pid: int, arrivals: int) -> None:
    for number in os.read(arrivals, 4096):
        if number in PASSED_ON:
            os.kill(pid, number)


def _reaped(pid: int) -> int | None:
    """CMD's exit status if it has ended. If it has stopped, stop as well, and continue it when we are continued."""
    while True:
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if not found:
            return None
        if not os.WIFSTOPPED(status):
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        if _stop(os.WSTOPSIG(status)):
            os.kill(pid, signal.SIGCONT)


def _stop(number: int) -> bool:
    """Stop this process as CMD was stopped; True when continued. A bare SIGSTOP without a terminal concerns CMD alone."""
    if number == signal.SIGSTOP:
        if not _has_terminal():
            return False
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return True
    handler = signal.signal(number, signal.SIG_DFL)
    signal.pthread_kill(threading.get_ident(), number)  # to this thread: it takes effect before the call returns
    signal.signal(number, handler)
    return True


def _has_terminal() -> bool:
    """Whether the session has a controlling terminal: field 7 of proc_pid_stat(5)."""
    return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[4] != "0"
