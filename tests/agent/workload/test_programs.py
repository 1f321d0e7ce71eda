"""Programs are probed when they are executed, their TLS libraries when they are mapped; each file once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaperone.agent.workload.programs import Programs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="/proc/PID/map_files needs root")


def names_of(attached: list[str]) -> Programs:
    return Programs(lambda descriptor: attached.append(Path(f"/proc/self/fd/{descriptor}").readlink().name))


def test_the_program_itself_is_probed_once() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    with subprocess.Popen(["sleep", "100"]) as first, subprocess.Popen(["sleep", "100"]) as second:
        time.sleep(0.05)
        programs.executed(first.pid)
        programs.executed(second.pid)
        first.kill()
        second.kill()
    assert attached == ["sleep"]


@needs_root
def test_a_library_mapped_after_the_exec_is_found() -> None:
    attached: list[str] = []
    programs = names_of(attached)
    program = "import ssl, time; print(flush=True); time.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        programs.executed(process.pid)
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 10
        while not any("libssl" in name for name in attached) and time.monotonic() < deadline:
            programs.look()
            time.sleep(0.02)
        process.kill()
    assert any("libssl" in name for name in attached)


def test_a_process_that_is_gone_is_no_error_and_forgotten_in_time() -> None:
    programs = names_of([])
    programs.executed(2**22 + 5)
    programs.look()
    assert programs.tried == set()


def test_no_descriptor_stays_open() -> None:
    programs, before = names_of([]), len(list(Path("/proc/self/fd").iterdir()))
    programs.executed(os.getpid())
    programs.look()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
