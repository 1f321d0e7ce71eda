"""Messages as JSON lines, at the end of a file or on stdout."""

import asyncio
import json
import os
import select
import stat
import time

from chaperone.collector.enforce.alerting import JsonLines
from chaperone.collector.enforce.message import Message
from chaperone.collector.enforce.outcome import Fate, Outcome

STDOUT = 1
TIMEOUT_S = 10.0


async def send(lines: JsonLines, message: Message) -> Outcome:
    """Write one line, whole or not at all; a file is on disk before it counts as sent."""
    line = json.dumps(message.document(), ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
    try:
        await asyncio.to_thread(_write, lines.file, line)
    except TimeoutError:
        return Outcome(Fate.LATER, f"nobody took it within {TIMEOUT_S:g}s")
    except OSError as error:
        return Outcome(Fate.LATER, (error.strerror or "it can't be written").lower())
    return Outcome(Fate.SENT, "written")


def _write(file: str, line: bytes) -> None:
    if file == "-":
        return _pour(STDOUT, line)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        _append(descriptor, line)
    finally:
        os.close(descriptor)
    return None


def _pour(descriptor: int, line: bytes) -> None:
    """Into what may be a pipe that nobody reads: parts that never block when it is ready for any (pipe(7): PIPE_BUF)."""
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    deadline = time.monotonic() + TIMEOUT_S
    while line:
        if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        line = line[os.write(descriptor, line[: select.PIPE_BUF]) :]


def _append(descriptor: int, line: bytes) -> None:
    size = os.fstat(descriptor).st_size
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    if is_file and size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line  # somebody's line was cut
    written = os.write(descriptor, line)
    if written < len(line):
        if is_file:
            os.ftruncate(descriptor, size)
        raise OSError(0, "it was written in part")
    if is_file:
        os.fsync(descriptor)
