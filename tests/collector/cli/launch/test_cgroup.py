"""A run's cgroup: found, made, emptied and removed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.collector.cli.launch.cgroup import PREFIX, RunCgroup, mount_point, own_group
from chaperone.collector.cli.launch.failed import LaunchError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("mounts", "where"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0", "/sys/fs/cgroup"),
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0", "/sys/fs/cgroup/unified"),
        ("none /mnt/a\\040b cgroup2 rw 0 0", "/mnt/a b"),
    ],
)
def test_the_hierarchy_is_found_wherever_it_is_mounted(mounts: str, where: str) -> None:
    assert mount_point(mounts) == Path(where)


def test_version_1_alone_is_none() -> None:
    assert mount_point("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0") is None


@needs_root
def test_what_is_left_behind_goes_back_and_the_folder_goes_away(sleeper: subprocess.Popen[bytes]) -> None:
    group = RunCgroup(own_group())
    group.make()
    (group.path / "below").mkdir()
    (group.path / "below/cgroup.procs").write_text(str(sleeper.pid))
    assert group.processes() == [sleeper.pid]
    group.remove()
    assert not group.path.exists()
    assert str(sleeper.pid) in (group.parent / "cgroup.procs").read_text().split()


@needs_root
def test_an_empty_group_of_a_dead_launcher_is_swept_and_a_living_ones_is_not() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, living = own_group() / f"{PREFIX}{ended.pid}-x", own_group() / f"{PREFIX}{os.getppid()}-x"
    dead.mkdir()
    living.mkdir()
    group = RunCgroup(own_group())
    group.make()
    group.remove()
    assert (dead.exists(), living.exists()) == (False, True)
    living.rmdir()


@needs_root
def test_a_process_that_forks_while_it_is_moved_is_not_forgotten() -> None:
    group = RunCgroup(own_group())
    group.make()
    forker = subprocess.Popen(["sh", "-c", "while :; do sleep 0.001; done"], start_new_session=True)
    (group.path / "cgroup.procs").write_text(str(forker.pid))
    group.remove()
    os.killpg(forker.pid, signal.SIGKILL)
    forker.wait()
    assert not group.path.exists()


def test_a_folder_that_cannot_be_made_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="none: No such file"):
        RunCgroup(tmp_path / "none").make()
