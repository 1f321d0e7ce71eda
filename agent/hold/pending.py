"""Signals that wait for a thread which is stopped."""

import signal

from chaperone.agent.workload.processes import status_of

ENDING = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


def ending(tid: int) -> bool:
    """Whether one of those that ask a program to end waits for this thread, which neither blocks nor ignores it."""
    try:
        status = status_of(tid)
    except OSError:
        return False
    pending, shared, blocked, ignored = (int(status[name], 16) for name in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn"))
    return bool((pending | shared) & ~blocked & ~ignored & ENDING)
