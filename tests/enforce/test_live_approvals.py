"""The whole of it on the real kernel: a run of another user waits in its own TLS library until root has decided."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, running
from support.collectors import ask, collector
from support.kernel import skip_without_kernel

pytestmark = pytest.mark.kernel
BIN = Path(sys.executable).parent
WAIT_S = 240  # a busy machine takes a minute to begin
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {{name: agents}}
holdLimit: {limit}
rules:
- name: cluster-roles
  when: call.resource == "clusterroles" && call.write
  do: approve
  enforce: enforce
  message: "{{call.verb}} {{call.resource}}/{{call.name}}"
"""
CREATE = ("kubectl", "create", "clusterrole", "reader", "--verb=get", "--resource=pods")
CREATED = "clusterrole.rbac.authorization.k8s.io/reader created\n"


class Place:
    """A folder that another user can read, with an API server, and a store that only we can."""

    def __init__(self, directory: Path, server: ApiServer) -> None:
        self.directory, self.server, self.store = directory, server, directory / "store"
        (directory / "home").mkdir()
        (directory / "home").chmod(0o777)

    def run(self, limit: str) -> "subprocess.Popen[str]":
        """kubectl as nobody, governed."""
        (self.directory / "policy.yaml").write_text(POLICY.format(limit=limit))
        command = [
            BIN / "chaperone",
            "run",
            "--store",
            self.store,
            "-u",
            "nobody",
            "--policy",
            self.directory / "policy.yaml",
            "--",
            *CREATE,
        ]
        paths = f"{self.directory}:{os.environ['PATH']}"
        environment = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig), "HOME": str(self.directory / "home"), "PATH": paths}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def say(self, word: str, approval: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
        command = [BIN / "chaperone", "approvals", word, approval["id"][:12], "--reason", "planned", "--store", self.store]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)

    def created(self) -> int:
        return sum(one["method"] == "POST" and "/clusterroles" in one["requestURI"] for one in self.server.requests())

    def waiting(self, state: str) -> list[dict[str, Any]]:
        return ask(self.store, "approvals.list", state=state)


@pytest.fixture
def place() -> Iterator[Place]:
    skip_without_kernel()
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    shutil.copy(BIN / "kubectl", directory / "kubectl")
    try:
        with running(directory / "apiserver") as server, collector(directory / "store"):
            for file in (server.directory, *server.directory.rglob("*")):
                file.chmod(0o755)
            yield Place(directory, server)
    finally:
        shutil.rmtree(directory)


def until(found: Callable[[], Any], run: "subprocess.Popen[str]") -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (result := found()):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result


def ended(run: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = run.communicate(timeout=WAIT_S)
    return run.returncode, out, err


def test_kubectl_waits_in_its_own_process_and_goes_through_when_root_says_so(place: Place) -> None:
    run = place.run("120s")
    [approval] = until(lambda: place.waiting("pending"), run)
    assert place.created() == 0 and approval["requester"].startswith("user nobody on ")
    assert place.say("approve", approval).returncode == 0
    status, out, err = ended(run)
    assert (status, out) == (0, CREATED), err
    assert place.created() == 1


def test_a_denial_and_a_retry_after_the_hold_limit(place: Place) -> None:
    status, _, err = ended(place.run("2s"))
    [approval] = place.waiting("pending")
    assert status == 1 and f"approval pending: {approval['id'][:12]}, retry" in err and "(Forbidden)" in err
    assert place.say("approve", approval).returncode == 0
    status, out, err = ended(place.run("2s"))
    assert (status, out) == (0, CREATED), err
    assert place.created() == 1, "another run of the same user found its approval"
    second = place.run("120s")
    [other] = until(lambda: place.waiting("pending"), second)
    assert place.say("deny", other).returncode == 0
    status, _, err = ended(second)
    assert status == 1 and "approval denied by unix:root: planned" in err and place.created() == 1
