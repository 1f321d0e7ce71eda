"""What /proc says about a process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaperone.agent.workload.processes import (
    ARGV_LIMIT,
    TICK_NS,
    Described,
    argv,
    boot_id,
    cgroup_of,
    describe,
    members,
    now_ns,
    started_ns,
    status_of_thread,
    tracer_of,
)


def test_a_living_process_is_described_without_its_environment() -> None:
    with subprocess.Popen(["sleep", "100"], cwd="/tmp", env={"SECRET": "x"}) as process:
        time.sleep(0.05)
        seen = describe(process.pid)
        process.kill()
    assert (seen.argv, seen.cwd, seen.uid, seen.parent) == (("sleep", "100"), "/tmp", os.getuid(), os.getpid())
    assert seen.exe.endswith("sleep")
    assert "SECRET" not in repr(seen)


def test_empty_arguments_are_kept() -> None:
    with subprocess.Popen(["sleep", "100", ""], stderr=subprocess.DEVNULL) as process:
        time.sleep(0.02)
        seen = argv(process.pid)
        process.kill()
    assert seen in ((("sleep", "100", ""), False), ((), False))


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_command_line_beyond_the_limit_is_cut_and_said_to_be(beyond: int) -> None:
    begin = [sys.executable, "-c", "input()"]
    rest = "x" * (ARGV_LIMIT - len("\0".join(begin)) - 2 + 2 * beyond)  # a 0 before it and one at its end
    with subprocess.Popen([*begin, rest], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while (seen := describe(process.pid)).argv[2:3] != ("input()",) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert (seen.argv == (*begin, rest), seen.argv_cut) == (not beyond, bool(beyond)), "of the last argument its end is missing"


def test_a_process_that_is_gone_is_empty_and_no_error() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert describe(process.pid) == Described()
    assert started_ns(process.pid) is None


def test_a_thread_that_is_gone_is_gone_as_ptrace_says_it() -> None:
    for asked in (status_of_thread, tracer_of):
        with pytest.raises(ProcessLookupError):
            asked(2**22 + 5)
    assert tracer_of(os.getpid()) == 0


def test_the_start_is_on_the_boot_clock() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        age = now_ns() - (started_ns(process.pid) or 0)
        process.kill()
    assert -TICK_NS <= age < 5_000_000_000


def test_time_is_that_of_the_boot_clock() -> None:
    assert 0 <= now_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 10**9 <= 2 * 10**9


def test_the_boot_has_a_uuid() -> None:
    assert len(boot_id()) == 36


def test_the_members_of_a_group_are_its_own_and_those_below(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("5\n7\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/cgroup.procs").write_text("9\n")
    assert members(tmp_path) == {5, 7, 9}
    assert members(tmp_path / "gone") == frozenset()


def test_a_processs_cgroup_is_found_wherever_it_is(tmp_path: Path) -> None:
    for name, pids in (("", "1\n"), ("a", "2\n3\n"), ("a/b", "4\n")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cgroup.procs").write_text(pids)
    assert [cgroup_of(pid, tmp_path) for pid in (1, 3, 4, 5)] == [tmp_path, tmp_path / "a", tmp_path / "a/b", None]
