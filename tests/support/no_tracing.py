"""`python no_tracing.py COMMAND…`: a command whose kernel lets nobody trace or read another's memory, as Yama's ptrace_scope 3 does.

A seccomp filter says EPERM to what Yama then refuses: ptrace, process_vm_readv, process_vm_writev, pidfd_getfd. Where Yama itself does
(`make test-kernel APPEND=sysctl.kernel.yama.ptrace_scope=3`), it is left to it.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path

SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
REFUSED = (101, 310, 311, 438)  # on x86-64
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO, EPERM
SET_SECCOMP, FILTER = 22, 2  # prctl(2)


def refuse() -> None:
    """From now on, for this thread and all it starts."""
    jumps = [(EQUAL, len(REFUSED) - at, 0, number) for at, number in enumerate(REFUSED)]
    rows = [(LOAD, 0, 0, 0), *jumps, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in rows))
    program = struct.pack("@HP", len(rows), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot set a seccomp filter")


if __name__ == "__main__":
    if not SCOPE.exists() or SCOPE.read_text().strip() != "3":
        refuse()
    os.execvp(sys.argv[1], sys.argv[1:])
