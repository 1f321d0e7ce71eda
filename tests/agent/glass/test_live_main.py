import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.kernel import cgroup, skip_without_kernel

from chaperone.agent.glass.__main__ import made, person
from chaperone.agent.workload.processes import boot_id, now_ns
from chaperone.proto.glass import SECOND, GlassError, read

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root breaks the glass of a node")


def run(file: Path, *options: str, cgroups: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Locks are looked for where there are none of others."""
    command = [sys.executable, "-m", "chaperone.agent.glass", f"--cgroup={cgroups or file.parent}", *options]
    environment = {**os.environ, "CHAPERONE_BREAK_GLASS": str(file)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_it_asks_for_a_reason_and_a_time() -> None:
    for time, reason in (("15m", ""), ("soon", "why")):
        with pytest.raises(GlassError):
            made(time, reason, "root")
    glass = made("15m", "why", "root")
    assert (glass.boot, glass.until - glass.begun) == (boot_id(), 900 * SECOND)


def test_who_it_was_is_said() -> None:
    assert person().startswith("unix:root at ")


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path / "g", "--for", "15m")
    assert (done.returncode, done.stderr) == (1, "chaperone break-glass: a reason is needed, of 1 to 1000 characters\n")


def test_another_user_may_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    command = [sys.executable, "-m", "chaperone.agent.glass", "--reason=x"]
    environment = {**os.environ, "CHAPERONE_BREAK_GLASS": str(tmp_path / "g")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, user=65534)
    assert done.stderr == "chaperone break-glass: only root breaks the glass of a node\n" and not (tmp_path / "g").exists()


@pytest.mark.kernel
def test_the_file_is_there_until_it_is_ended(tmp_path: Path) -> None:
    skip_without_kernel()
    with cgroup() as group:
        done = run(tmp_path / "g", "--reason=deploys hang", cgroups=group)
        said, found = json.loads(done.stdout), read(tmp_path / "g")
        assert found is not None and found.why == "deploys hang" and found.begun <= now_ns()
        assert said["broken"] == found.id and 800 < said["left_s"] <= 900
        done = run(tmp_path / "g", "--end", cgroups=group)
        assert json.loads(done.stdout)["broken"] == "" and read(tmp_path / "g") is None
