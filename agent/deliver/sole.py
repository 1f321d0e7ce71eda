"""One agent for the pods of a node: two would probe, hold and end the same processes.

What they share is the spool's directory, which the chart takes from the node: whoever holds its lock is the one, until its process ends.
"""

import time
from collections.abc import Callable
from pathlib import Path

from chaperone.agent.deliver.spool import lock_of, own_folder

PATIENCE_S = 45.0  # longer than the agent before us has to end, when its pod is deleted
LOOK_S = 0.1


def is_sole(root: Path, is_over: Callable[[], bool], log: Callable[[str], None], patience_s: float = PATIENCE_S) -> bool:
    """True once no other process holds the lock, which we keep; False if it does not come, or `is_over` meanwhile. A disk that can't be
    written tells of nobody: recording is worth more then, and the log says it."""
    try:
        return _locked(own_folder(root), is_over, log, time.monotonic() + patience_s)
    except OSError as error:
        log(f"whether another agent governs this node's pods can't be told: {error.strerror}")
        return True


def _locked(folder: Path, is_over: Callable[[], bool], log: Callable[[str], None], limit: float) -> bool:
    is_told = False
    while lock_of(folder) is None:
        if is_over() or time.monotonic() > limit:
            return False
        if not is_told:
            log(f"waits for another agent of this node to end: it holds the lock in {folder}")
            is_told = True
        time.sleep(LOOK_S)
    return True
