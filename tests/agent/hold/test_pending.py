import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.hold import ptrace
from chaperone.agent.hold.pending import ending, stopping

BLOCKS = "import signal; signal.pthread_sigmask(0, [2]); signal.signal(15, signal.SIG_IGN)\n"


@contextmanager
def paused(program: str) -> Iterator[int]:
    """A program that is stopped by its tracer, us."""
    with subprocess.Popen([sys.executable, "-c", program + "print('ready', flush=True)\nwhile True: pass"], stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        ptrace.seize(child.pid)
        ptrace.interrupt(child.pid)
        assert ptrace.wait(child.pid) is not None
        yield child.pid
        child.kill()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("program", "number", "waits"),
    [("", signal.SIGINT, True), ("", signal.SIGCHLD, False), (BLOCKS, signal.SIGINT, False), (BLOCKS, signal.SIGTERM, False)],
)
def test_only_what_would_end_the_program_counts(program: str, number: int, waits: bool) -> None:
    skip_without_kernel()
    with paused(program) as pid:
        assert not ending(pid)
        os.kill(pid, number)
        assert ending(pid) == waits


CATCHES = "import signal; signal.signal(20, lambda *_: None); signal.signal(21, signal.SIG_IGN); signal.pthread_sigmask(0, [22])\n"


@pytest.mark.kernel
@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_only_what_would_stop_the_program_counts(number: int) -> None:
    skip_without_kernel()
    for program, wanted in (("", number), (CATCHES, 0)):
        with paused(program) as pid:
            assert stopping(pid) == 0
            os.kill(pid, number)
            assert stopping(pid) == wanted


def test_one_that_is_gone_has_none() -> None:
    assert not ending(2**22 - 1) and not stopping(2**22 - 1)
