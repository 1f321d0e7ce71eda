"""CMD's process: it waits, then becomes CMD as a shell would have started it, or says why not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaperone.collector.cli.launch.account import chosen
from chaperone.collector.cli.launch.cgroup import RunCgroup, own_group
from chaperone.collector.cli.launch.child import Child, Plan, fork
from chaperone.collector.cli.launch.command import Command
from chaperone.collector.cli.launch.failed import LaunchError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups need root")


@pytest.fixture
def group() -> Iterator[RunCgroup]:
    made = RunCgroup(own_group())
    made.make()
    yield made
    made.remove()


def forked(cgroup: Path, path: str, *argv: str, **environment: str) -> Child:
    return fork(Plan(Command(Path(path), argv or (path,)), chosen(None, {}, os.getuid()), environment, cgroup))


def ended(child: Child) -> int:
    child.release()
    return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])


def test_released_it_becomes_cmd_in_its_cgroup_with_its_environment(group: RunCgroup, tmp_path: Path) -> None:
    script = 'cat /proc/self/cgroup > "$OUT"; exit 7'
    assert ended(forked(group.path, "/bin/sh", "sh", "-c", script, OUT=str(tmp_path / "out"), PATH="/bin:/usr/bin")) == 7
    assert group.path.name in (tmp_path / "out").read_text()


def test_abandoned_it_never_becomes_cmd(group: RunCgroup, tmp_path: Path) -> None:
    child = forked(group.path, "/usr/bin/touch", "touch", str(tmp_path / "touched"))
    child.abandon()
    assert not (tmp_path / "touched").exists()
    assert not Path(f"/proc/{child.pid}").exists()


def test_a_script_without_a_first_line_is_run_by_the_shell(group: RunCgroup, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("exit $1")
    script.chmod(0o755)
    assert ended(forked(group.path, str(script), "script", "9")) == 9


@pytest.mark.parametrize(("path", "status"), [("/nonexistent", 127), ("/etc/passwd", 126)])
def test_what_cannot_be_executed_has_the_shells_status(group: RunCgroup, path: str, status: int) -> None:
    with pytest.raises(LaunchError) as failed:
        forked(group.path, path).release()
    assert failed.value.status == status


def test_a_cgroup_that_went_away_is_our_own_failure(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="could not join") as failed:
        forked(tmp_path / "gone", "/bin/true").release()
    assert failed.value.status == 125


def test_a_pipe_that_breaks_ends_cmd_although_python_ignores_the_signal(group: RunCgroup) -> None:
    assert ended(forked(group.path, "/bin/sh", "sh", "-c", "kill -PIPE $$")) == -13
    assert subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 13)"], check=False).returncode == 0
