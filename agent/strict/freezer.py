"""All processes of a cgroup held at once, and let go, and ended: cgroup.freeze and cgroup.kill (Documentation/admin-guide/cgroup-v2.rst).

Nobody sees it: no signal, no stop that a shell is told of; who is frozen can be killed and traced. It would outlive us, so the cgroup
carries a mark as long as it is frozen by us, and a process of its own lets it go when we are gone (warden.py).
"""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "trusted.chaperone.frozen"
KILL_S = 5.0


class Freezer:
    """Freezes cgroups; `warden` is told of each before."""

    def __init__(self) -> None:
        self.frozen: set[Path] = set()
        self._warden: subprocess.Popen[bytes] | None = None

    def freeze(self, cgroup: Path) -> None:
        """Its processes stand still soon. OSError if they won't."""
        self._tell(b"+", cgroup)
        os.setxattr(cgroup, MARK, b"1")
        (cgroup / "cgroup.freeze").write_text("1")
        self.frozen.add(cgroup)

    def thaw(self, cgroup: Path) -> None:
        """They go on."""
        thaw(cgroup)
        self.frozen.discard(cgroup)
        with contextlib.suppress(OSError):
            self._tell(b"-", cgroup)

    def close(self) -> None:
        """Nobody stays frozen."""
        for cgroup in list(self.frozen):
            self.thaw(cgroup)
        if self._warden is not None:
            self._warden.communicate()

    def _tell(self, sign: bytes, cgroup: Path) -> None:
        if self._warden is None or self._warden.poll() is not None:
            command = [sys.executable, "-m", "chaperone.agent.strict.warden"]
            self._warden = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
        assert self._warden.stdin is not None
        self._warden.stdin.write(sign + os.fsencode(cgroup) + b"\0")
        self._warden.stdin.flush()


def thaw(cgroup: Path) -> None:
    """Let go what we, or an agent before us, froze; what somebody else froze stays so. It may be gone."""
    with contextlib.suppress(FileNotFoundError):
        if MARK in os.listxattr(cgroup):
            (cgroup / "cgroup.freeze").write_text("0")
            _unmark(cgroup)


def _unmark(cgroup: Path) -> None:
    """The warden and the next agent may do so at once."""
    try:
        os.removexattr(cgroup, MARK)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise


def end(cgroup: Path) -> None:
    """Kill all of it, frozen or not. Kernels before 5.14 have no file for it. OSError if somebody is left."""
    with contextlib.suppress(FileNotFoundError):
        if (cgroup / "cgroup.kill").exists():
            (cgroup / "cgroup.kill").write_text("1")
            return
        deadline = time.monotonic() + KILL_S
        while pids := _pids(cgroup):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise TimeoutError(0, f"{len(pids)} processes do not end")
            time.sleep(0.01)


def _pids(cgroup: Path) -> list[int]:
    files = [cgroup / "cgroup.procs", *cgroup.glob("**/cgroup.procs")]
    return [int(line) for file in dict.fromkeys(files) for line in file.read_text().split()]
