import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.gate import memory
from chaperone.agent.hold import ptrace, remote

pytestmark = pytest.mark.kernel
SYS_GETPID, SYS_CLOSE = 39, 3
WAITS = "print('ready', flush=True)\nwhile True: pass"


@contextmanager
def stopped() -> Iterator[int]:
    """A process of its own that runs in no system call, seized and stopped by this thread."""
    skip_without_kernel()
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=-1) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            ptrace.seize(child.pid)
            ptrace.interrupt(child.pid)
            assert ptrace.wait(child.pid) is not None
            yield child.pid
        finally:
            child.kill()
            with suppress(ChildProcessError):
                while (stop := ptrace.wait(child.pid)) is None or stop.kind is not ptrace.Kind.ENDED:
                    continue
            child.returncode = -9


def values(pid: int) -> dict[str, int]:
    """The registers but for those in which the kernel shows that it was stepped, or came out of no system call."""
    found = ptrace.registers(pid)
    return {name: getattr(found, name) for name, *_ in found._fields_ if name not in ("orig_rax", "eflags")}


def test_memory_is_mapped_and_the_thread_knows_nothing_of_it() -> None:
    with stopped() as pid:
        before, mask = values(pid), ptrace.signal_mask(pid)
        address = remote.mapped(pid, pid, 8192)
        memory.write(pid, address, b"x" * 8192)
        assert memory.read(pid, address, 8192) == b"x" * 8192
        assert (values(pid), ptrace.signal_mask(pid)) == (before, mask)


def test_a_call_has_its_result_or_its_error() -> None:
    with stopped() as pid:
        assert remote.call(pid, pid, SYS_GETPID, (0,) * 6) == pid
        with pytest.raises(OSError, match="Bad file descriptor"):
            remote.call(pid, pid, SYS_CLOSE, (9999, 0, 0, 0, 0, 0))


def test_a_signal_in_the_middle_is_delivered_afterwards() -> None:
    with stopped() as pid:
        os.kill(pid, 19)
        assert remote.call(pid, pid, SYS_GETPID, (0,) * 6) == pid
        ptrace.resume(pid)
        stop = ptrace.wait(pid)
        assert stop is not None and (stop.kind, stop.number) == (ptrace.Kind.SIGNAL, 19)


def test_one_that_is_killed_meanwhile_is_gone() -> None:
    with stopped() as pid:
        os.kill(pid, 9)
        with pytest.raises(ProcessLookupError):
            remote.call(pid, pid, SYS_GETPID, (0,) * 6)
