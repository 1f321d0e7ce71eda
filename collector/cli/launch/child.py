"""CMD's process: forked before any library starts a thread, held at a pipe, then placed, stripped of rights, executed."""

import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from chaperone.collector.cli.launch.account import Account
from chaperone.collector.cli.launch.cgroup import join
from chaperone.collector.cli.launch.command import Command
from chaperone.collector.cli.launch.failed import CHAPERONE_FAILED, NOT_EXECUTABLE, NOT_FOUND, LaunchError

GO = b"g"
CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # ignored by every Python, and an ignored signal stays so over exec


@dataclass(frozen=True, slots=True)
class Plan:
    """All that CMD's process needs to know: it asks nobody after the fork."""

    command: Command
    account: Account
    environment: Mapping[str, str]
    cgroup: Path


class Child:
    """The waiting process. Exactly one of `release` and `abandon` must follow."""

    def __init__(self, pid: int, go: int, trouble: int) -> None:
        self.pid, self.go, self.trouble = pid, go, trouble

    def release(self) -> None:
        """Let it become CMD. LaunchError (126, 127 or 125) if it could not."""
        os.write(self.go, GO)
        os.close(self.go)
        with os.fdopen(self.trouble, "rb") as pipe:
            told = pipe.read().decode()
        if told:
            os.waitpid(self.pid, 0)
            raise _failed(told)

    def abandon(self) -> None:
        """End it without CMD ever running."""
        os.close(self.go)
        os.close(self.trouble)
        os.waitpid(self.pid, 0)


def fork(plan: Plan) -> Child:
    """Start CMD's process; it waits in the launcher's process group, so the terminal is its own from the start."""
    (go_read, go_write), (trouble_read, trouble_write) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        os.close(trouble_read)
        _live(plan, go_read, trouble_write)
    os.close(go_read)
    os.close(trouble_write)
    return Child(pid, go_write, trouble_read)


def _live(plan: Plan, go: int, trouble: int) -> NoReturn:
    """What the child does; leaves by exec or _exit only, so nothing of the launcher is cleaned up twice."""
    step = "start"
    try:
        _restore_signals()
        if os.read(go, 1) == GO:
            step = f"join {plan.cgroup}"
            join(plan.cgroup)
            step = f"become {plan.account.name}"
            plan.account.become()
            step = ""
            _execute(plan)
    except OSError as error:
        os.write(trouble, f"{error.errno}\n{step}\n{plan.command.argv[0]}".encode())
    finally:
        os._exit(CHAPERONE_FAILED)


def _execute(plan: Plan) -> None:
    path, argv, environment = str(plan.command.path), list(plan.command.argv), dict(plan.environment)
    try:
        os.execve(path, argv, environment)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        os.execve("/bin/sh", ["sh", path, *argv[1:]], environment)  # as execvp(3): a script without a first line


def _restore_signals() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in CHANGED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)


def _failed(told: str) -> LaunchError:
    number, step, name = told.split("\n", 2)
    reason = os.strerror(int(number))
    if step:
        return LaunchError(f"CMD's process could not {step}: {reason}", "run chaperone doctor")
    status = NOT_FOUND if int(number) == errno.ENOENT else NOT_EXECUTABLE
    return LaunchError(f"{name}: {reason}", "", status)
