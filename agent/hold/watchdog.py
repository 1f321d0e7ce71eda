"""A process beside the agent that kills it when it hangs: frozen, it would freeze all that it traces (ptrace(2)).

Killed, the kernel frees what it traced, or kills what waits for a verdict without which it may not go on. The watchdog
knows nothing and needs nothing: a pipe that must say something every few seconds, and a process to kill.
"""

import contextlib
import os
import subprocess
import sys

PATIENCE_S = 8
PROGRAM = """
import os, select, signal, sys
pid = os.pidfd_open(int(sys.argv[1]))
os.read(0, 1) or sys.exit()
while select.select([0], [], [], float(sys.argv[2]))[0]:
    if not os.read(0, 4096):
        sys.exit()
signal.pidfd_send_signal(pid, signal.SIGKILL)
"""


class Watchdog:
    """Must hear a beat within its patience, from the first one on."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(os.getpid()), str(patience_s)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)

    def beat(self) -> None:
        """All is well."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self._pipe.write(b".")

    def close(self) -> None:
        """Nobody need be watched any more."""
        self._pipe.close()
        self._process.wait()
