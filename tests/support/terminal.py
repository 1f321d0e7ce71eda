"""A real terminal for tests: a program in a new session on a pty, typed to and read from with time limits."""

import errno
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

PATIENCE_S = 20.0


class Terminal:
    """A program whose stdin, stdout, stderr and controlling terminal are a pty of ours."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None, patience_s: float = PATIENCE_S) -> None:
        self.master, slave = pty.openpty()
        self.shown, self.patience_s = b"", patience_s
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment, preexec_fn=lambda: _control(slave)
        )
        os.close(slave)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def foreground(self) -> int:
        return os.tcgetpgrp(self.master)

    def expect(self, text: str) -> str:
        """Read until the text is shown; return what came before it and forget both."""
        deadline = time.monotonic() + self.patience_s
        while text.encode() not in self.shown:
            self._read(deadline - time.monotonic(), text)
        before, _, self.shown = self.shown.partition(text.encode())
        return before.decode(errors="replace")

    def wait(self) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + self.patience_s
        while self.process.poll() is None:
            self._read(min(0.05, deadline - time.monotonic()), "the end", is_due=False)
            assert time.monotonic() < deadline, f"still running; shown: {self.shown!r}"
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)

    def _read(self, timeout_s: float, awaited: str, is_due: bool = True) -> None:
        waiting = select.poll()  # descriptors may be above what select takes
        waiting.register(self.master, select.POLLIN)
        ready = waiting.poll(max(0.0, timeout_s) * 1000)
        assert ready or not is_due, f"no {awaited!r} within {self.patience_s} s; shown: {self.shown!r}"
        try:
            self.shown += os.read(self.master, 65536) if ready else b""
        except OSError as error:  # EIO: nobody has the other side open any more
            assert error.errno == errno.EIO
            assert not is_due, f"ended without {awaited!r}; shown: {self.shown!r}"
            time.sleep(0.01)


def _control(slave: int) -> None:
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
