"""ptrace(2) as plain functions: one request each, errors as OSError. x86-64.

Every request for a tracee must come from the thread that seized it; what waits, too (`__WNOTHREAD`). Nothing here keeps
state: who is seized, held or ended is agent/hold/seizer.py's. PTRACE_ATTACH is not here: it would send a SIGSTOP.
"""

import ctypes
import errno
import os
import signal
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

NT_PRSTATUS = 1
WALL, WNOTHREAD, WNOHANG = 0x40000000, 0x20000000, 1
JOB_STOPS = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
NO_SYSTEM_CALL = 2**64 - 1


class Request(IntEnum):
    """<linux/ptrace.h>."""

    CONT = 7
    SINGLESTEP = 9
    DETACH = 17
    SETOPTIONS = 0x4200
    GETEVENTMSG = 0x4201
    GETREGSET = 0x4204
    SETREGSET = 0x4205
    SEIZE = 0x4206
    INTERRUPT = 0x4207
    LISTEN = 0x4208
    GETSIGMASK = 0x420A
    SETSIGMASK = 0x420B


class Option(IntFlag):
    """What a tracee's children do, and what becomes of it when its tracer dies."""

    TRACEFORK = 2
    TRACEVFORK = 4
    TRACECLONE = 8
    TRACEEXEC = 16
    EXITKILL = 1 << 20


FOLLOW = Option.TRACEFORK | Option.TRACEVFORK | Option.TRACECLONE | Option.TRACEEXEC


class Kind(Enum):
    """Why a wait returned."""

    ENDED = "ended"  # exited or killed; `number` is the wait status
    SIGNAL = "signal"  # `number` is about to be delivered: pass it on or take it away
    JOB_STOP = "job stop"  # stopped by the signal `number`, as the parent sees it: answer with `listen`
    PAUSE = "pause"  # a new thread's first stop, the answer to `interrupt`, or the end of a job stop
    EVENT = "event"  # fork, vfork, clone (message: the new task) or exec; `number` is the event's


class Event(IntEnum):
    """`Stop.number` of Kind.EVENT."""

    FORK = 1
    VFORK = 2
    CLONE = 3
    EXEC = 4
    STOP = 128


@dataclass(frozen=True, slots=True)
class Stop:
    """One report of wait."""

    tid: int
    kind: Kind
    number: int


class Registers(ctypes.Structure):
    """struct user_regs_struct (<sys/user.h>)."""

    _names = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
    _fields_ = tuple((name, ctypes.c_uint64) for name in _names.split())
    r8: int
    rax: int
    rbx: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    rip: int
    rsp: int
    orig_rax: int


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def request(what: Request, tid: int, address: int = 0, data: int = 0) -> None:
    """One ptrace request. ProcessLookupError: the thread is gone, or not stopped; PermissionError: another traces it."""
    if _libc.ptrace(what, tid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {what.name} {tid}: {os.strerror(number)}")


def seize(tid: int, options: Option = FOLLOW) -> None:
    """Trace a thread without stopping it."""
    request(Request.SEIZE, tid, 0, options)


def set_options(tid: int, options: Option) -> None:
    """Replace the options of a stopped tracee."""
    request(Request.SETOPTIONS, tid, 0, options)


def interrupt(tid: int) -> None:
    """Ask a running tracee to stop; it reports a PAUSE, or what else it stops for first."""
    request(Request.INTERRUPT, tid)


def listen(tid: int) -> None:
    """Leave a tracee in its job stop and hear of what ends it."""
    request(Request.LISTEN, tid)


def resume(tid: int, deliver: int = 0) -> None:
    """Let a stopped tracee go on, with a signal or without."""
    request(Request.CONT, tid, 0, deliver)


def detach(tid: int, deliver: int = 0) -> None:
    """Let a stopped tracee go on, and trace it no more."""
    request(Request.DETACH, tid, 0, deliver)


def message(tid: int) -> int:
    """Of an event: the new task's id; of exec: the id the thread had before."""
    found = ctypes.c_ulong()
    request(Request.GETEVENTMSG, tid, 0, ctypes.addressof(found))
    return found.value


def registers(tid: int) -> Registers:
    """The registers of a stopped tracee."""
    found = Registers()
    _transfer(Request.GETREGSET, tid, found)
    return found


def set_registers(tid: int, values: Registers) -> None:
    """Replace them. The tracee is in no system call of ours: none is restarted."""
    values.orig_rax = NO_SYSTEM_CALL
    _transfer(Request.SETREGSET, tid, values)


def _transfer(what: Request, tid: int, values: Registers) -> None:
    vector = _Iovec(ctypes.addressof(values), ctypes.sizeof(values))
    request(what, tid, NT_PRSTATUS, ctypes.addressof(vector))


def signal_mask(tid: int) -> int:
    """Which signals a stopped tracee blocks."""
    found = ctypes.c_uint64()
    request(Request.GETSIGMASK, tid, ctypes.sizeof(found), ctypes.addressof(found))
    return found.value


def set_signal_mask(tid: int, mask: int) -> None:
    """Replace that."""
    value = ctypes.c_uint64(mask)
    request(Request.SETSIGMASK, tid, ctypes.sizeof(value), ctypes.addressof(value))


def wait(tid: int = -1, flags: int = 0) -> Stop | None:
    """The next report of this thread's tracees (or of one). None: a signal interrupted us, or nothing yet (WNOHANG).

    ChildProcessError when there is none to wait for.
    """
    status = ctypes.c_int()
    found = _libc.waitpid(tid, ctypes.byref(status), WALL | WNOTHREAD | flags)
    if found > 0:
        return stop_of(found, status.value)
    if found < 0 and (number := ctypes.get_errno()) != errno.EINTR:
        raise OSError(number, f"waitpid {tid}: {os.strerror(number)}")
    return None


def stop_of(tid: int, status: int) -> Stop:
    """A wait status as a value; see ptrace(2), "Stopped states"."""
    if status & 0xFF != 0x7F:
        return Stop(tid, Kind.ENDED, status)
    number, event = status >> 8 & 0xFF, status >> 16
    if event == Event.STOP:
        return Stop(tid, Kind.JOB_STOP if number in JOB_STOPS else Kind.PAUSE, number)
    if event:
        return Stop(tid, Kind.EVENT, event)
    return Stop(tid, Kind.SIGNAL, number)
