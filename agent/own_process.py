"""What the agent asks for itself: no dump of what it holds, descriptors for all its probes, and no long pauses."""

import ctypes
import gc
import os
import resource

PR_SET_DUMPABLE = 4
YOUNG = 10_000  # objects more, before garbage is looked for


def guard() -> None:
    """Memory with other people's plaintext gets into no core file and no debugger of another user. A probe is a descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl: {os.strerror(ctypes.get_errno())}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def set_aside() -> None:
    """What is here once we have started stays as long as we do. To look through it for garbage took 10 ms now and then, in which a held
    call waits; and to look for new garbage as often as Python does, a part of each."""
    gc.freeze()
    gc.set_threshold(YOUNG)
