"""A run from request to exit status, with real cgroups and processes and an agent that has no kernel."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import doubled_launcher
from support.policies import EXAMPLE

from chaperone.collector.cli.launch.cgroup import PREFIX, own_group
from chaperone.collector.cli.launch.launcher import as_root

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups need root")
SUPPORT = Path(doubled_launcher.__file__).parents[1]


def started(log: Path, *command: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    variables = {**os.environ, "PYTHONPATH": str(SUPPORT), "AGENT_DOUBLE_LOG": str(log / "log"), **(environment or {})}
    argv = [sys.executable, doubled_launcher.__file__, *command]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=variables)


def launched(log: Path, *command: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, Any]]:
    """Exit status, CMD's stdout, what the launcher found out."""
    process = started(log, *command, environment=environment)
    out, err = process.communicate(timeout=30)
    assert not list(own_group().glob(f"{PREFIX}{process.pid}-*")), "the cgroup stays behind"
    return process.returncode, out, json.loads(err.splitlines()[-1])


def test_cmd_runs_in_a_cgroup_of_its_own_with_its_children(tmp_path: Path) -> None:
    status, out, found = launched(tmp_path, "sh", "-c", "grep ^0:: /proc/self/cgroup; sh -c 'grep ^0:: /proc/self/cgroup'; exit 9")
    first, second = out.splitlines()
    assert (status, found) == (9, {"left": 0, "troubles": []})
    assert first == second
    assert f"/{PREFIX}" in first


def test_the_agent_is_told_what_runs_and_how_it_ended(tmp_path: Path) -> None:
    launched(tmp_path, "sh", "-c", "exit 3", environment={"KUBECONFIG": "", "HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    told = json.loads((tmp_path / "log").read_text())
    assert json.loads(told["said"]) == {"status": 3, "left": 0}
    about = told["about"]
    assert (about["argv"], about["apiservers"], about["cwd"]) == (["sh", "-c", "exit 3"], ["10.0.0.1:443"], str(Path.cwd()))
    assert f"--attach={os.path.realpath('/bin/sh')}" in told["options"]


def test_the_agent_is_told_to_hold_what_cmd_sends_where_a_policy_acts(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE.replace("rules:", "onFailure: deny\nverdictTimeout: 500ms\nrules:"))
    launched(tmp_path, "true", environment={"RUN_POLICIES": str(policy)})
    about = json.loads((tmp_path / "log").read_text())["about"]
    assert (about["mode"], about["on_failure"], about["verdict_timeout_s"], about["hold_limit_s"]) == ("enforce", "deny", "0.5", "10.0")
    assert about["uncovered"] == "alert"
    policy.write_text(EXAMPLE.replace("enforce: enforce", "enforce: observe"))
    launched(tmp_path, "true", environment={"RUN_POLICIES": str(policy)})
    assert "mode" not in json.loads((tmp_path / "log").read_text())["about"]


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("refuse", "BTF is missing"),
        ("crash", "RuntimeError: no luck"),
        ("silent", "the agent was not ready within 3 s"),
    ],
)
def test_without_an_agent_cmd_does_not_run(tmp_path: Path, behaviour: str, sentence: str) -> None:
    status, out, found = launched(tmp_path, "echo", "ran", environment={"AGENT_DOUBLE": behaviour})
    assert (status, out, found["sentence"]) == (125, "", sentence)


def test_an_agent_that_dies_leaves_cmd_unharmed_and_is_noticed(tmp_path: Path) -> None:
    status, out, found = launched(tmp_path, "sh", "-c", "sleep 0.5; echo done; exit 4", environment={"AGENT_DOUBLE": "die"})
    assert (status, out) == (4, "done\n")
    assert found["troubles"] == [
        "the agent ended before CMD did",
        "the agent was ended by signal 9",
        "the collector did not take the session's end",
    ]


def test_an_agent_that_dies_takes_cmd_with_it_where_it_is_recorded_strictly(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(EXAMPLE.replace("rules:", "record: strict\nrules:"))
    environment = {"AGENT_DOUBLE": "die", "RUN_POLICIES": str(policy)}
    status, out, found = launched(tmp_path, "sh", "-c", "setsid sleep 60 & sleep 60; echo done", environment=environment)
    assert (status, out, found["left"]) == (137, "", 0)
    assert found["troubles"][0] == "the agent ended before CMD did, so CMD was ended too: it is to be recorded strictly"


def test_the_agent_is_told_how_strictly_to_record(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    for key, told in (("record: strict", "strict"), ("mode: off\nrecord: strict", "best_effort"), ("mode: record", "best_effort")):
        policy.write_text(EXAMPLE.replace("rules:", f"{key}\nrules:"))
        launched(tmp_path, "true", environment={"RUN_POLICIES": str(policy)})
        assert json.loads((tmp_path / "log").read_text())["about"]["record"] == told


def test_what_the_agent_could_not_deliver_is_said(tmp_path: Path) -> None:
    assert launched(tmp_path, "true", environment={"AGENT_DOUBLE": "unconfirmed"})[2]["troubles"] == ["3 batches were never confirmed"]


def test_under_sudo_cmd_is_the_user_behind_it(tmp_path: Path) -> None:
    _, out, _ = launched(tmp_path, "sh", "-c", "id -u; id -g; id -G; echo $HOME $USER $LOGNAME", environment={"SUDO_USER": "nobody"})
    nobody = pwd.getpwnam("nobody")
    uid, gid, groups, names = out.splitlines()
    assert (uid, gid) == (str(nobody.pw_uid), str(nobody.pw_gid))
    assert "0" not in groups.split()
    assert names == f"{nobody.pw_dir} nobody nobody"


def test_the_user_option_wins(tmp_path: Path) -> None:
    _, out, _ = launched(tmp_path, "id", "-un", environment={"SUDO_USER": "nobody", "RUN_AS": "daemon"})
    assert out == "daemon\n"


def test_a_daemon_left_behind_is_counted_and_lives_on_where_the_launcher_was(tmp_path: Path) -> None:
    _, out, found = launched(tmp_path, "sh", "-c", "setsid sleep 100 >/dev/null 2>&1 & echo $!")
    assert found["left"] == 1
    assert f"{PREFIX}" not in Path(f"/proc/{int(out)}/cgroup").read_text()
    os.kill(int(out), signal.SIGKILL)


@pytest.mark.parametrize(("command", "status"), [("no-such-command", 127), ("/etc/passwd", 126)])
def test_what_cannot_run_is_found_before_anything_starts(tmp_path: Path, command: str, status: int) -> None:
    assert launched(tmp_path, command)[0] == status
    assert not (tmp_path / "log").exists()


def test_a_launcher_that_is_killed_takes_the_agent_with_it_and_leaves_cmd(tmp_path: Path) -> None:
    process = started(tmp_path, "sh", "-c", "echo $$; read x; echo on")
    assert process.stdout is not None
    cmd = int(process.stdout.readline())
    process.kill()
    wait_for(lambda: (tmp_path / "log").exists(), "the agent's end")
    assert Path(f"/proc/{cmd}").exists()
    out, _ = process.communicate("go on\n", timeout=60)
    assert out == "on\n"
    wait_for(lambda: not Path(f"/proc/{cmd}").exists(), "CMD's end")
    launched(tmp_path, "true")
    assert not list(own_group().glob(f"{PREFIX}{process.pid}-*")), "the next run sweeps what the killed one left"


def test_an_interrupt_before_cmd_started_ends_everything(tmp_path: Path) -> None:
    process = started(tmp_path, "echo", "ran", environment={"AGENT_DOUBLE": "silent"})
    wait_for(lambda: bool(list(own_group().glob(f"{PREFIX}{process.pid}-*"))), "the cgroup")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == ""
    assert not list(own_group().glob(f"{PREFIX}{process.pid}-*"))


def test_the_command_that_helps_keeps_quotes_options_and_what_sudo_forgets() -> None:
    argv = ["/opt/chaperone", "run", "-u", "ann", "--", "sh", "-c", "kubectl get pods | wc"]
    assert as_root(argv, {}) == "sudo /opt/chaperone run -u ann -- sh -c 'kubectl get pods | wc'"
    assert as_root(argv[:2], {"KUBECONFIG": "/k"}) == "sudo --preserve-env=KUBECONFIG /opt/chaperone run"


def wait_for(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)
