"""Which file a process runs."""

import os
import subprocess
from pathlib import Path

from chaperone.agent.trace.programs import resolved
from chaperone.agent.trace.values import ProcessExec


def seen(pid: int, argv: tuple[str, ...]) -> ProcessExec:
    return ProcessExec(pid, 1, 2, 1, "sleep", argv, False, 0, 1, 1)


def test_a_living_process_tells_its_file() -> None:
    with subprocess.Popen(["sleep", "5"]) as process:
        while b"sleep" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            os.sched_yield()
        assert Path(resolved(seen(process.pid, ("sleep", "5"))).exe).name in ("sleep", "coreutils", "busybox")
        assert resolved(seen(process.pid, ("env", "sleep", "5"))).exe == "sleep"
        process.kill()


def test_a_process_that_is_gone_keeps_the_name_it_was_executed_by() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert resolved(seen(process.pid, ("true",))).exe == "sleep"
