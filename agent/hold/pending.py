"""Signals that wait for a thread which is stopped."""

import signal
from pathlib import Path

ENDING = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


def ending(tid: int) -> bool:
    """Whether one of those that ask a program to end waits for this thread, which neither blocks nor ignores it."""
    try:
        lines = Path(f"/proc/{tid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return False
    masks = {name: int(value, 16) for name, _, value in (line.partition(":") for line in lines) if name in NAMES}
    return bool((masks["SigPnd"] | masks["ShdPnd"]) & ~masks["SigBlk"] & ~masks["SigIgn"] & ENDING)


NAMES = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn")
