"""How a process of the agent that reads what others wrote gives up all privilege, before it reads."""

import ctypes
import os
import resource
from collections.abc import Mapping
from contextlib import suppress

NOBODY = 65534
NEW_SYSV, NEW_NETWORK = 0x08000000, 0x40000000  # CLONE_NEWIPC, CLONE_NEWNET: unshare(2)
NO_NEW_PRIVS = 38  # PR_SET_NO_NEW_PRIVS
CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


def confine(limits: Mapping[int, int], keeps_network: bool = False) -> None:
    """Give up everything that a parser does not need, for good. What we may not give up, we do not have."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(NEW_SYSV | (0 if keeps_network else NEW_NETWORK))
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    if os.geteuid() == 0:
        with suppress(PermissionError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "cannot give up privileges")
