"""A node as its operator runs it: `chaperone agent --pods` and a collector; what ran in a pod is found by the pod's name."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import collector
from support.kernel import skip_without_kernel
from support.kubelet import Kubelet, container_id, kubelet
from support.live_node import NAMESPACES, PODS, RECORD, statuses
from support.pod_api import PodApi, namespace, pod, pod_api

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
CHAPERONE = Path(sys.executable).with_name("chaperone")
KUBECTL = Path(sys.executable).with_name("kubectl")
UID, OTHER = "0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    skip_without_kernel()
    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "namespace").write_text("chaperone")
    with pod_api(tmp_path / "account") as opened:
        opened.put(NAMESPACES, namespace("demo"))
        opened.put(PODS, pod("agent", UID, labels=RECORD, spec={"nodeName": "n1"}, status=statuses(("main", container_id("main")))))
        opened.put(PODS, pod("other", OTHER, spec={"nodeName": "n1"}, status=statuses(("main", container_id("other")))))
        yield opened


@pytest.fixture
def node() -> Iterator[Kubelet]:
    with kubelet() as made:
        made.pod(UID)
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    with collector(tmp_path / "store"):
        yield tmp_path / "store"


@contextmanager
def agent(store: Path, api: PodApi, node: Kubelet) -> Iterator["subprocess.Popen[bytes]"]:
    """It meets whoever is on the node when the block begins."""
    read, ready = os.pipe()
    told = ["--api", f"127.0.0.1:{api.port}", "--service-account", str(api.directory), "--cgroup-root", str(node.root), "--node", "n1"]
    own = ["--socket", str(store / "collector.sock"), "--spool", str(store.parent / "spool"), "--ready-fd", str(ready)]
    process = subprocess.Popen([CHAPERONE, "agent", "--pods", *told, *own], pass_fds=[ready], stdout=subprocess.PIPE)
    os.close(ready)
    assert "session" in json.loads(os.read(read, 1000))
    os.close(read)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def listed(store: Path, *question: str) -> list[dict[str, Any]]:
    done = subprocess.run([CHAPERONE, *question, "--store", store, "-o", "json"], capture_output=True, text=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def until(is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def sessions(store: Path, name: str = "agent") -> list[dict[str, Any]]:
    return listed(store, "sessions", "list", "-n", "demo", "--pod", name)


def work(node: Kubelet, server: ApiServer, uid: str, name: str) -> Path:
    cgroup = node.container(uid, container_id(name))
    header = f"Authorization: Bearer {server.token}"
    for argv in (
        [KUBECTL, "--kubeconfig", server.kubeconfig, "get", "secrets"],
        ["curl", "-sS", "--cacert", server.ca, "-H", header, f"{server.url}/api/v1/namespaces/demo/pods"],
    ):
        assert node.start(cgroup, argv, stdout=subprocess.DEVNULL).wait(60) == 0
    return cgroup


def test_what_kubectl_and_curl_did_in_a_pod_is_found_by_its_name(store: Path, api: PodApi, node: Kubelet, apiserver: ApiServer) -> None:
    with agent(store, api, node):
        cgroup = work(node, apiserver, UID, "main")
        work(node, apiserver, OTHER, "other")
        node.remove(cgroup)
        (session,) = until(lambda: [one for one in sessions(store) if one.get("ended")])
    assert sessions(store, "other") == []
    assert session["workload"] == "demo/agent/main"
    calls = listed(store, "calls", "list", "--session", session["id"])
    assert {(call["verb"], call["resource"]) for call in calls} >= {("list", "secrets"), ("list", "pods")}


def test_an_agent_that_was_killed_leaves_its_session_to_the_next(store: Path, api: PodApi, node: Kubelet, apiserver: ApiServer) -> None:
    cgroup = node.container(UID, container_id("main"))
    running = node.start(cgroup, ["sleep", "300"])
    with agent(store, api, node) as first:
        (before,) = until(lambda: sessions(store))
        first.kill()
        first.wait()
    with agent(store, api, node):
        until(lambda: len(sessions(store)) == 2)
        work(node, apiserver, UID, "main")
        running.kill()
        running.wait()
        node.remove(cgroup)
        until(lambda: all(one.get("ended") for one in sessions(store)))
    (after,) = [one for one in sessions(store) if one["id"] != before["id"]]
    assert listed(store, "calls", "list", "--session", after["id"])


POLICY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: others}
selector: {namespaces: [NAMESPACE], labels: {team: "r*"}}
rules: [{name: secrets, when: 'call.resource == "secrets"', do: alert}]
"""


def test_a_policys_selector_governs_pods_also_when_it_changes(tmp_path: Path, api: PodApi, node: Kubelet, apiserver: ApiServer) -> None:
    policy, store = tmp_path / "policy.yaml", tmp_path / "store"
    policy.write_text(POLICY.replace("NAMESPACE", "elsewhere"))
    status = statuses(("main", container_id("other")))
    api.put(PODS, pod("other", OTHER, labels={"team": "red"}, spec={"nodeName": "n1"}, status=status))
    with collector(store, "--policy", str(policy), "--no-default-policy"), agent(store, api, node):
        cgroup = work(node, apiserver, OTHER, "other")
        running = node.start(cgroup, ["sleep", "300"])
        policy.write_text(POLICY.replace("NAMESPACE", "de*"))
        until(lambda: sessions(store, "other"))
        work(node, apiserver, OTHER, "other")
        running.kill()
        running.wait()
        node.remove(cgroup)
        (session,) = until(lambda: [one for one in sessions(store, "other") if one.get("ended")])
    assert {verdict["rule"] for verdict in listed(store, "verdicts", "list", "--session", session["id"])} == {"secrets"}


def test_coverage_says_what_is_observed_and_what_is_not(tmp_path: Path, api: PodApi, node: Kubelet) -> None:
    store = tmp_path / "store"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": f"https://127.0.0.1:{api.port}", "certificate-authority": str(api.directory / "ca.crt")}}
        ],
        "users": [{"name": "c", "user": {"token": api.token}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    for name, uid, where in (("agent", UID, "n1"), ("far", OTHER, "n2")):
        running = {
            "name": "main",
            "containerID": f"containerd://{container_id(name)}",
            "state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}},
        }
        api.put(PODS, pod(name, uid, labels=RECORD, spec={"nodeName": where}, status={"containerStatuses": [running]}))
    with collector(store, "--lookup", str(tmp_path / "kubeconfig")), agent(store, api, node):
        running = node.start(node.container(UID, container_id("agent")), ["sleep", "300"])
        found = until(lambda: [one for one in listed(store, "coverage") if one["observed"]])[0]
        running.kill()
        running.wait()
    assert (found["selected"], found["observed"], found["nodes"]) == (2, 1, ["n1"])
    assert [(one["pod"], one["why"]) for one in found["unobserved"]] == [("far", "no agent calls from its node")]


DENY = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: demo}
selector: {namespaces: [demo]}
onFailure: deny
verdictTimeout: 20s
rules: [{name: no-delete, when: 'call.verb == "delete"', do: deny, enforce: enforce, message: "nothing is deleted here"}]
"""


def test_what_a_policy_denies_is_not_done_by_a_pod_it_selects(tmp_path: Path, api: PodApi, node: Kubelet, apiserver: ApiServer) -> None:
    """Also by one that ran before the policy, and by one whose container has no name yet."""
    policy, store = tmp_path / "policy.yaml", tmp_path / "store"
    policy.write_text(DENY)
    api.put(PODS, pod("agent", UID, spec={"nodeName": "n1"}))
    cgroup, go = node.container(UID, container_id("main")), tmp_path / "go"
    kubectl = f"{KUBECTL} --kubeconfig {apiserver.kubeconfig}"
    script = f"while ! test -e {go}; do sleep 0.05; done; {kubectl} delete pod agent 2>{tmp_path}/said; echo $? >{tmp_path}/status"
    before = node.start(cgroup, ["/bin/sh", "-c", script])
    with collector(store, "--policy", str(policy), "--no-default-policy"), agent(store, api, node):
        go.touch()
        assert before.wait(120) == 0
        said = (tmp_path / "said").read_text()
        assert (tmp_path / "status").read_text() == "1\n" and "nothing is deleted here" in said, said
        api.put(PODS, pod("agent", UID, spec={"nodeName": "n1"}, status=statuses(("main", container_id("main")))))
        argv = ["/bin/sh", "-c", f"{kubectl} delete pod agent 2>{tmp_path}/said; {kubectl} get pods -o name >{tmp_path}/pods"]
        assert node.start(cgroup, argv).wait(120) == 0
        assert "nothing is deleted here" in (tmp_path / "said").read_text() and "pod/agent" in (tmp_path / "pods").read_text()
        (session,) = until(lambda: sessions(store))
        until(lambda: len(listed(store, "verdicts", "list", "--session", session["id"])) == 2)
    assert "DELETE" not in {request["method"] for request in apiserver.requests()}
