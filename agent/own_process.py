"""What the agent asks of the kernel for itself: no dump of what it holds, and descriptors for all its probes."""

import ctypes
import os
import resource

PR_SET_DUMPABLE = 4


def guard() -> None:
    """Memory with other people's plaintext gets into no core file and no debugger of another user. A probe is a descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl: {os.strerror(ctypes.get_errno())}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
