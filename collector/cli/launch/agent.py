"""The agent of one run as a subprocess: started before CMD, told CMD's end, asked what it recorded.

Told over three descriptors: control (we write one JSON line, then close), ready (it writes one JSON line), stdout (its
last JSON line). It has a session of its own, so nothing of the terminal reaches it. What it and clang print is kept
for the case that it fails.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from chaperone.collector.cli.launch.failed import LaunchError

READY_S = 20.0  # compiling the probes takes about two seconds
FINISH_S = 20.0  # it waits 10 s for its last ack
AGENT = (sys.executable, "-I", "-m", "chaperone.agent")


@dataclass(frozen=True, slots=True)
class Report:
    """What the agent said at its end. `trouble`: why this is not everything; empty if it is."""

    bytes: int = 0
    chunks: int = 0
    lost: int = 0
    unconfirmed: int = 0
    trouble: str = ""


class Agent:
    """A running agent; `descriptor` becomes readable when it has ended."""

    def __init__(self, options: Sequence[str]) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the agent lives)
        control, self.control = os.pipe()
        self.ready, ready = os.pipe()
        arguments = ["--control-fd", str(control), "--ready-fd", str(ready), *options]
        self.process = subprocess.Popen(
            [*AGENT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.said,
            cwd="/",
            pass_fds=(control, ready),
            start_new_session=True,
        )
        os.close(control)
        os.close(ready)
        self.descriptor = os.pidfd_open(self.process.pid)

    def wait_ready(self) -> str:
        """Until every probe is attached; the session's id. LaunchError with the agent's own sentence if it can't."""
        with os.fdopen(self.ready):
            line = _line(self.ready, READY_S)
        if line is None:
            raise LaunchError(f"the agent was not ready within {READY_S:.0f} s", "try again; chaperone doctor checks what it needs")
        told = json.loads(line) if line else {}
        if "session" not in told:
            raise LaunchError(told.get("failed") or self._last_words(), told.get("fix", "chaperone doctor"))
        return str(told["session"])

    def finish(self, status: int, left: int) -> Report:
        """Tell it that CMD has ended and how many processes stay behind; wait for its report."""
        if self.process.poll() is None:
            self._tell({"status": status, "left": left})
        with os.fdopen(self.descriptor):
            return self._report()

    def end(self) -> None:
        """Stop it without a report: CMD never ran."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=FINISH_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def _report(self) -> Report:
        try:
            output, _ = self.process.communicate(timeout=FINISH_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return Report(trouble=f"the agent did not end within {FINISH_S:.0f} s")
        if self.process.returncode < 0:
            return Report(trouble=f"the agent was ended by signal {-self.process.returncode}")
        try:
            return Report(**json.loads(output.splitlines()[-1]))
        except (IndexError, ValueError, TypeError):
            return Report(trouble=f"the agent failed: {self._last_words()}")

    def _tell(self, message: dict[str, int]) -> None:
        try:
            os.write(self.control, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            return  # it has just ended; its report says how
        os.close(self.control)

    def _last_words(self) -> str:
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "the agent ended without a word"


def _line(descriptor: int, timeout_s: float) -> bytes | None:
    """One line, b"" if the other end was closed first, None if it took too long."""
    deadline, line = time.monotonic() + timeout_s, b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return None
        if not (part := os.read(descriptor, 65536)):
            return b""
        line += part
    return line
