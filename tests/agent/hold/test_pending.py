import os
import signal
import subprocess
import sys

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.hold import ptrace
from chaperone.agent.hold.pending import ending

BLOCKS = "import signal; signal.pthread_sigmask(0, [2]); signal.signal(15, signal.SIG_IGN)\n"


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("program", "number", "waits"),
    [("", signal.SIGINT, True), ("", signal.SIGCHLD, False), (BLOCKS, signal.SIGINT, False), (BLOCKS, signal.SIGTERM, False)],
)
def test_only_what_would_end_the_program_counts(program: str, number: int, waits: bool) -> None:
    skip_without_kernel()
    with subprocess.Popen([sys.executable, "-c", program + "print('ready', flush=True)\nwhile True: pass"], stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        ptrace.seize(child.pid)
        ptrace.interrupt(child.pid)
        assert ptrace.wait(child.pid) is not None
        assert not ending(child.pid)
        os.kill(child.pid, number)
        assert ending(child.pid) == waits
        child.kill()


def test_one_that_is_gone_has_none() -> None:
    assert not ending(2**22 - 1)
