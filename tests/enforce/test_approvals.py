"""Real kubectl, whose writes are held by an agent without a kernel: it waits for people, who decide with the real command."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import collectors
from support.apiserver import ApiServer, apiserver
from support.collectors import ask, collector
from support.receivers import until
from support.scripted_agent import OUT, ScriptedAgent, Tap, proxied

from chaperone.proto.records import Hold, Outcome

__all__ = ["apiserver"]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the approver of these rules is root")
POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {{name: agents}}
rules:
- name: cluster-roles
  when: call.resource == "clusterroles" && call.write
  do: approve
  enforce: enforce
  holdLimit: {limit}
  message: "{{call.verb}} {{call.resource}}/{{call.name}}"
"""
CREATE = ("create", "clusterrole", "reader", "--verb=get", "--resource=pods")


class Asking:
    """kubectl behind an agent of its own session, at a collector that may die in between."""

    def __init__(self, store: Path, server: ApiServer, port: int) -> None:
        self.store, self.server, self._port = store, server, port

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig), "HOME": str(self.store.parent)}
        command = [BIN / "kubectl", f"--server=https://127.0.0.1:{self._port}", *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def kubectl(self, *arguments: str) -> tuple[int, str]:
        """Its status, and all that it said."""
        return ended(self.start(*arguments))

    def created(self) -> int:
        return sum(one["method"] == "POST" and "/clusterroles" in one["requestURI"] for one in self.server.requests())


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=90)
    return process.returncode, out + err


@contextmanager
def asking(store: Path, server: ApiServer, limit: str, name: str = "one") -> Iterator[Asking]:
    agent = ScriptedAgent(store, (POLICY.format(limit=limit),), name=name)
    with proxied(agent, server.directory, server.port) as proxy:
        yield Asking(store, server, proxy.port)
    agent.finish()


def waiting(store: Path, state: str = "pending", count: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = until(lambda: rows if len(rows := ask(store, "approvals.list", state=state)) >= count else None)
    return found


def say(store: Path, word: str, approval: dict[str, Any], why: str = "planned in CHG-1") -> None:
    command = [BIN / "chaperone", "approvals", word, approval["id"][:12], "--reason", why, "--store", str(store)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_it_waits_is_approved_goes_through_and_is_used_up(tmp_path: Path, apiserver: ApiServer) -> None:
    store = tmp_path / "store"
    with collector(store), asking(store, apiserver, "60s") as client:
        first = client.start(*CREATE)
        [approval] = waiting(store)
        assert client.created() == 0 and first.poll() is None
        about = approval["alert"]["approval"]
        assert '+ rules.[0].verbs: ["get"]' in about["diff"] and approval["alert"]["what"]["resource"] == "clusterroles"
        say(store, "approve", approval)
        assert ended(first) == (0, "clusterrole.rbac.authorization.k8s.io/reader created\n")
        assert client.created() == 1
        [used] = waiting(store, "used")
        call = ask(store, "calls.list", id=used["used"])[0]
        assert (call["verb"], call["resource"], call["binding"]) == ("create", "clusterroles", used["binding"])
        again = client.start(*CREATE)
        [other] = waiting(store)
        assert other["id"] != approval["id"] and client.created() == 1, "used once"
        say(store, "deny", other, "not twice")
        status, said = ended(again)
        assert status == 1 and "(Forbidden)" in said and "approval denied by unix:root: not twice" in said
        assert client.created() == 1


def test_after_the_hold_limit_the_client_is_told_to_retry_and_its_retry_passes(tmp_path: Path, apiserver: ApiServer) -> None:
    store = tmp_path / "store"
    with collector(store), asking(store, apiserver, "1s") as client:
        status, said = client.kubectl(*CREATE)
        [approval] = waiting(store)
        assert status == 1 and f"approval pending: {approval['id'][:12]}, retry" in said and "(Forbidden)" in said
        assert approval["told"]
        status, said = client.kubectl(*CREATE)
        assert f"approval pending: {approval['id'][:12]}, retry" in said, "the same question"
        say(store, "approve", approval)
        changed = client.kubectl(*CREATE[:-1], "--resource=secrets")
        assert changed[0] == 1 and "approval pending" in changed[1] and client.created() == 0, "another body, another question"
        assert client.kubectl(*CREATE)[0] == 0
        assert client.created() == 1


def test_a_collector_that_dies_in_between_changes_nothing(tmp_path: Path, apiserver: ApiServer) -> None:
    store, policy = tmp_path / "store", POLICY.format(limit="1s")
    process = collectors.start(store)
    agent = ScriptedAgent(store, (policy,))
    with proxied(agent, apiserver.directory, apiserver.port) as proxy:
        client = Asking(store, apiserver, proxy.port)
        assert client.kubectl(*CREATE)[0] == 1
        [approval] = waiting(store)
        collectors.kill(process)
        process = collectors.start(store)
        say(store, "approve", approval)
        collectors.kill(process)
        agent.close()
        with collector(store):
            proxy._agent = ScriptedAgent(store, (policy,), name="two")  # another run, of the same user
            assert client.kubectl(*CREATE) == (0, "clusterrole.rbac.authorization.k8s.io/reader created\n")
            assert client.created() == 1
            assert [one["id"] for one in waiting(store, "used")] == [approval["id"]]
            proxy._agent.finish()


BODY = json.dumps({"kind": "ClusterRole", "metadata": {"name": "x"}})
REQUEST = (
    "POST /apis/rbac.authorization.k8s.io/v1/clusterroles HTTP/1.1\r\nHost: api:6443\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()


def test_a_client_that_is_gone_withdraws_its_question(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with collector(store):
        agent = ScriptedAgent(store, (POLICY.format(limit="60s"),), ("api:6443",))
        tap = Tap(agent, 1)
        tap.bind("api:6443")
        hold = Hold(agent.new_hold(), tap.stream, OUT, 0, len(REQUEST), time.monotonic_ns(), REQUEST)
        agent.say(hold)
        [approval] = waiting(store)
        agent.say(Outcome(hold.hold, "gone", time.monotonic_ns()))
        [gone] = waiting(store, "gone")
        assert gone["id"] == approval["id"]
        command = [BIN / "chaperone", "approvals", "approve", gone["id"], "--reason", "late", "--store", str(store)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and "is gone: there is nothing to decide" in done.stderr
        agent.finish()
