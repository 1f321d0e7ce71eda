"""Programs are probed when they are executed, their TLS libraries when they are mapped; each file once."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaperone.agent.workload.programs import YOUNG_LIMIT, Programs

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


@needs_root
def test_a_mapped_file_cannot_name_another_file_to_be_opened(tmp_path: Path) -> None:
    """A path may hold what Python takes for the end of a line; what follows it would be a line of the workload's making."""
    attached: list[str] = []
    victim = tmp_path / "victim"
    victim.write_bytes(b"not yours")
    mapped = Path(f"{tmp_path}/a\x1c{victim} x 0 0 0 ssl")
    mapped.parent.mkdir(parents=True)
    mapped.write_bytes(b"\0" * 4096)
    program = (
        f"import mmap, os, time; m = mmap.mmap(os.open({str(mapped)!r}, 0), 4096, prot=5, flags=2); print(flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        programs = names_of(attached)
        programs.executed(process.pid)
        programs.look()
        process.kill()
    assert mapped.name in attached
    assert "victim" not in attached


def test_more_young_processes_than_can_be_looked_at_are_counted() -> None:
    programs = names_of([])
    for number in range(YOUNG_LIMIT + 3):
        programs.executed(2**22 + number)
    assert programs.missed == 3


def test_more_files_than_are_tried_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[str] = []
    monkeypatch.setattr("chaperone.agent.workload.programs.FILE_LIMIT", 0)
    programs = names_of(attached)
    programs.executed(os.getpid())
    programs.executed(os.getpid())
    assert (attached, programs.missed) == ([], 2)


def test_an_agent_without_descriptors_does_not_take_it_for_a_process_that_is_gone() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    programs = names_of([])
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 1, hard))
    try:
        programs.executed(os.getpid())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(held[0])
    assert programs.missed == 1


def test_ten_thousand_programs_in_a_row_cost_little() -> None:
    programs = names_of([])
    started = time.monotonic()
    for number in range(10_000):
        programs.executed(2**22 + number)
    assert time.monotonic() - started < 2
