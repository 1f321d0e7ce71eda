"""Signals that wait for a thread which is stopped."""

import signal

from chaperone.agent.workload.processes import status_of

ENDING = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))
STOPPING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def ending(tid: int) -> bool:
    """Whether one of those that ask a program to end waits for this thread, which neither blocks nor ignores it."""
    return bool(_waiting(tid, ("SigBlk", "SigIgn")) & ENDING)


def stopping(tid: int) -> int:
    """The signal of a terminal that waits for this thread and would stop its process; 0: none."""
    waiting = _waiting(tid, ("SigBlk", "SigIgn", "SigCgt"))
    return next((number for number in STOPPING if waiting & 1 << number - 1), 0)


def _waiting(tid: int, but: tuple[str, ...]) -> int:
    """Those that wait for a thread, but for some."""
    try:
        status = status_of(tid)
    except OSError:
        return 0
    found = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    for name in but:
        found &= ~int(status[name], 16)
    return found
