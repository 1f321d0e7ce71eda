"""A process beside the agent: kills it when it hangs, and sees after whom it held when it is gone.

`python -m chaperone.agent.hold.guardian HELD ENFORCING PATIENCE`: descriptors of maps of bpf/hold_maps.h, and seconds. The agent is at
the other end of stdin and says something while it is well, GOODBYE before it hangs up, which is otherwise its death.

Frozen, the agent would freeze all that it traces (ptrace(2)). Dead, the kernel lets go whom it traced, or kills whom it marked with
EXITKILL. What is left to us: threads whose SIGSTOP it had not taken away yet, and those that its probes, which the kernel takes off one
after another, still stop.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

from chaperone.agent.gate.layout import Thread
from chaperone.agent.gate.maps import Map
from chaperone.agent.hold.layout import Enforcing, HeldRecord
from chaperone.agent.ready import readable
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.workload.processes import status_of

PATIENCE_S = 10.0
STARTING_S = 1e6  # no limit
AFTERWARDS_S = 3.0  # how long a dead agent's probes may still stop somebody
TICK_S = 0.005
GOODBYE = b"g"
REALLY_STOPPED = "T"


class Guardian:
    """The agent's side."""

    def __init__(self, kernel: Kernel, patience_s: float = PATIENCE_S) -> None:
        maps = [kernel.descriptor(name) for name in ("held_threads", "enforcing")]
        command = [sys.executable, "-m", "chaperone.agent.hold.guardian", *map(str, maps), str(patience_s)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, pass_fds=maps, start_new_session=True)
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)

    def beat(self) -> None:
        """All is well."""
        self._say(b".")

    def close(self) -> None:
        """Nobody need be watched any more."""
        self._say(GOODBYE)
        self._pipe.close()
        self._process.wait()

    def _say(self, what: bytes) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self._pipe.write(what)


def main(arguments: list[str]) -> None:
    """Watch, then see after them."""
    agent = os.pidfd_open(os.getppid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is the agent that ends us
    held, enforcing, patience_s = int(arguments[0]), int(arguments[1]), float(arguments[2])
    if not watched(agent, patience_s):
        free(Map(held, Thread, HeldRecord), Map(enforcing, Thread, Enforcing))


def watched(agent: int, patience_s: float) -> bool:
    """Until the agent says goodbye (True), is dead, or has to be killed. It may take its time until the first word."""
    timeout_s, said = STARTING_S, b""
    while readable([0], timeout_s):
        if not (more := os.read(0, 4096)):
            return said.endswith(GOODBYE)
        timeout_s, said = patience_s, more
    with contextlib.suppress(ProcessLookupError):  # it died by itself meanwhile
        signal.pidfd_send_signal(agent, signal.SIGKILL)
    return False


def free(held: Map[Thread, HeldRecord], enforcing: Map[Thread, Enforcing]) -> None:
    """End who may not go on undecided; stop holding the others, and let them go on."""
    end = time.monotonic() + AFTERWARDS_S
    for slot in list(enforcing.keys()):
        how = enforcing.get(slot)
        if how is not None and how.is_enforced and not how.is_strict:
            enforcing.put(slot, Enforcing())
    while time.monotonic() < end:
        for thread in list(held.keys()):
            _see_after(thread, held, enforcing)
        time.sleep(TICK_S)


def _see_after(thread: Thread, held: Map[Thread, HeldRecord], enforcing: Map[Thread, Enforcing]) -> None:
    record = held.get(thread)
    if record is None or _state(thread.number) not in (REALLY_STOPPED, ""):
        return
    how = enforcing.get(Thread(record.head.workload))
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.head.pid, signal.SIGKILL if how is not None and how.is_strict else signal.SIGCONT)
    held.remove(thread)


def _state(tid: int) -> str:
    """A letter of proc_pid_status(5); "" when it is gone."""
    try:
        return status_of(tid)["State"][0]
    except OSError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
