"""The agent of one run as a subprocess: started before CMD, told CMD's end, asked what it recorded.

Told over four descriptors: stdin (what the run is, as JSON), control (we write one JSON line, then close), ready (it
writes one JSON line), stdout (its last JSON line). It has a session of its own, so nothing of the terminal reaches it.
What it and clang print, warnings at most, is kept for the case that it fails. Once it has reported nobody waits for it: taking probes off
costs the kernel a tenth of a second each, whoever waits.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.cli.launch.failed import LaunchError

READY_S = 60.0  # compiling the probes takes about two seconds, on a busy machine far longer
FINISH_S = 20.0  # it waits 10 s for its last ack
About = Mapping[str, str | Sequence[str]]
AGENT = (sys.executable, "-I", "-m", "chaperone.agent")


def spool_of(socket: Path) -> Path:
    """Where the agents of a store keep what nobody has confirmed."""
    return socket.parent / "spool"


def deliver(socket: Path, session: str, ended: tuple[int, str]) -> bool:
    """Pass on what a dead agent left in the store's spool. Whether its session is ended by that: `ended` is CMD's status, and why."""
    known = f"{session}={ended[0]}:{ended[1]}"
    command = [*AGENT, "--deliver", f"--socket={socket}", f"--spool={spool_of(socket)}", f"--ended={known}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=FINISH_S, cwd="/", check=False, start_new_session=True)
        return session in json.loads(done.stdout.splitlines()[-1])["ended"]
    except (subprocess.TimeoutExpired, IndexError, ValueError, KeyError):
        return False


@dataclass(frozen=True, slots=True)
class Report:
    """What the agent said at its end. `trouble`: why this is not everything; empty if it is. `is_said`: False if it
    said nothing, so that nobody has ended the session."""

    bytes: int = 0
    chunks: int = 0
    lost: int = 0
    unconfirmed: int = 0
    trouble: str = ""
    is_said: bool = True


class Agent:
    """A running agent; `descriptor` becomes readable when it has ended."""

    def __init__(self, options: Sequence[str], about: About) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the agent lives)
        control, self.control = os.pipe()
        self.ready, ready = os.pipe()
        arguments = ["--control-fd", str(control), "--ready-fd", str(ready), "--session", "-", "--log-level", "warning", *options]
        with tempfile.TemporaryFile() as text:
            text.write(json.dumps(about).encode())
            text.seek(0)
            self.process = subprocess.Popen(
                [*AGENT, *arguments],
                stdin=text,
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
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            output = _until_closed(stdout.fileno(), FINISH_S)
        if output is None:
            self.process.kill()
            self.process.wait()
            return Report(trouble=f"the agent did not end within {FINISH_S:.0f} s", is_said=False)
        try:
            return Report(**json.loads(output.splitlines()[-1]))
        except (IndexError, ValueError, TypeError):
            return Report(trouble=self._failure(self.process.wait()), is_said=False)

    def _failure(self, status: int) -> str:
        return f"the agent was ended by signal {-status}" if status < 0 else f"the agent failed: {self._last_words()}"

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
    line = b""
    for part in _parts(descriptor, timeout_s):
        if part is None:
            return None
        line += part
        if line.endswith(b"\n"):
            return line
    return b""


def _until_closed(descriptor: int, timeout_s: float) -> bytes | None:
    """Everything until the other end is closed, None if that took too long."""
    parts = list(_parts(descriptor, timeout_s))
    return None if None in parts else b"".join(part for part in parts if part)


def _parts(descriptor: int, timeout_s: float) -> Iterator[bytes | None]:
    """What comes until the other end is closed; a last None if that took too long."""
    deadline = time.monotonic() + timeout_s
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not (part := os.read(descriptor, 65536)):
            return
        yield part
    yield None
