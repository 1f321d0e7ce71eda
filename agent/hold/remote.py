"""Memory of ours inside a traced process: mapped by a system call that a stopped thread makes for us, once a process.

The call is made at a `syscall` instruction of the vdso, in one single step with all signals blocked, and the registers
are put back. A seccomp filter of the process sees it.
"""

import ctypes
import errno
import os
import signal
from pathlib import Path

from chaperone.agent.gate import memory
from chaperone.agent.hold import ptrace
from chaperone.agent.hold.ptrace import Kind, Request

_libc = ctypes.CDLL(None, use_errno=True)
SYS_TGKILL = 234
SYSCALL = b"\x0f\x05"
SYS_MMAP = 9
PRIVATE_ANONYMOUS, READ_WRITE = 0x22, 3
ALL_SIGNALS = NO_FILE = 2**64 - 1
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


def mapped(pid: int, tid: int, size: int) -> int:
    """The address of new memory, by a stopped thread that is in no system call."""
    return call(pid, tid, SYS_MMAP, (0, size, READ_WRITE, PRIVATE_ANONYMOUS, NO_FILE, 0))


def call(pid: int, tid: int, number: int, arguments: tuple[int, ...]) -> int:
    """The result of a system call. OSError when the process's kernel says no, ProcessLookupError when it was killed."""
    before, registers, mask = ptrace.registers(tid), ptrace.registers(tid), ptrace.signal_mask(tid)
    registers.rip, registers.rax = _syscall_instruction(pid), number
    for name, value in zip(ARGUMENTS, arguments, strict=True):
        setattr(registers, name, value)
    ptrace.set_signal_mask(tid, ALL_SIGNALS)
    ptrace.set_registers(tid, registers)
    missed = _step(tid)
    result = ctypes.c_int64(ptrace.registers(tid).rax).value
    ptrace.set_registers(tid, before)
    ptrace.set_signal_mask(tid, mask)
    for signal_ in missed:
        _libc.syscall(SYS_TGKILL, pid, tid, signal_)
    if -4096 < result < 0:
        raise OSError(-result, f"a system call in process {pid}: {os.strerror(-result)}")
    return result


def _step(tid: int) -> list[int]:
    """One instruction. The signals that came although all are blocked (SIGSTOP does): they are to be sent again.

    What else it stops for first (the end of a job stop that is still to be told) is of no interest.
    """
    missed: list[int] = []
    while True:
        ptrace.request(Request.SINGLESTEP, tid)
        while (stop := ptrace.wait(tid)) is None:
            continue
        if stop.kind is Kind.ENDED:
            raise ProcessLookupError(errno.ESRCH, f"thread {tid} has ended")
        if stop.kind is Kind.SIGNAL and stop.number == signal.SIGTRAP:
            return missed
        if stop.kind is Kind.SIGNAL:
            missed.append(stop.number)


def _syscall_instruction(pid: int) -> int:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            begin, end = (int(word, 16) for word in line.split()[0].split("-"))
            return begin + memory.read(pid, begin, end - begin).index(SYSCALL)
    raise OSError(errno.ENOSYS, f"process {pid} has no vdso")
