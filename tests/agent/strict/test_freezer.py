"""Real cgroups, real processes: held, let go, ended; also when whoever held them is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kernel import cgroup

from chaperone.agent.strict import freezer as module
from chaperone.agent.strict.freezer import MARK, Freezer, end, thaw

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups need root")
COUNT = 'i=0; while :; do i=$((i+1)); echo $i > "$1"; sleep 0.01; done'
FREEZE_AND_WAIT = """
import sys, time
from pathlib import Path
from chaperone.agent.strict.freezer import Freezer
freezer = Freezer()
freezer.freeze(Path(sys.argv[1]))
print("frozen", flush=True)
time.sleep(100)
"""


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A cgroup with a process that counts, and where it counts."""
    with cgroup() as path:
        file = tmp_path / "count"
        script = f'echo 0 > "$2"/cgroup.procs; {COUNT}'
        process = subprocess.Popen(["/bin/sh", "-c", script, "sh", str(file), str(path)])
        until(file.exists)
        yield path, file
        process.kill()
        thaw(path)
        (path / "cgroup.freeze").write_text("0")
        process.wait()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_frozen(path: Path) -> bool:
    return "frozen 1" in (path / "cgroup.events").read_text()


def assert_counts(file: Path) -> None:
    before = file.read_text()
    until(lambda: file.read_text() not in (before, ""))


def test_who_is_frozen_does_nothing_until_it_is_let_go(counting: tuple[Path, Path]) -> None:
    path, file = counting
    freezer = Freezer()
    freezer.freeze(path)
    until(lambda: is_frozen(path))
    before = file.read_text()
    time.sleep(0.3)
    assert file.read_text() == before
    freezer.thaw(path)
    assert_counts(file)
    assert MARK not in os.listxattr(path)
    freezer.freeze(path)
    freezer.close()
    assert_counts(file)


def test_when_the_agent_is_killed_they_go_on(counting: tuple[Path, Path]) -> None:
    path, file = counting
    agent = subprocess.Popen([sys.executable, "-c", FREEZE_AND_WAIT, str(path)], stdout=subprocess.PIPE)
    assert agent.stdout and agent.stdout.readline() == b"frozen\n"
    until(lambda: is_frozen(path))
    agent.send_signal(signal.SIGKILL)
    agent.communicate()
    assert_counts(file)


def test_what_somebody_else_froze_stays_frozen(counting: tuple[Path, Path]) -> None:
    path, _ = counting
    (path / "cgroup.freeze").write_text("1")
    thaw(path)
    until(lambda: is_frozen(path))


@pytest.mark.parametrize("has_file", [True, False])
def test_all_are_ended_also_frozen_ones(counting: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, has_file: bool) -> None:
    path, _ = counting
    freezer = Freezer()
    freezer.freeze(path)
    if not has_file:
        exists = Path.exists
        monkeypatch.setattr(module.Path, "exists", lambda self: self.name != "cgroup.kill" and exists(self))
    end(path)
    until(lambda: not (path / "cgroup.procs").read_text())
    freezer.close()


def test_a_cgroup_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    thaw(tmp_path / "none")
    end(tmp_path / "none")
