"""Who is to be governed, and of these, who is not observed."""

from typing import Any

import pytest

from chaperone.collector.lookup.cluster import Cluster
from chaperone.collector.lookup.coverage import FRESH_S, Observed, Running, coverage
from chaperone.collector.rules.document import Policy, policies

NODE = {"metadata": {"name": "n1"}, "status": {"nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"}}}
SPACE = {"metadata": {"name": "demo", "labels": {}}}
SEEN = Observed(frozenset({"n1"}), frozenset({"c1"}), 2_000_000_000.0)
TEXT = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: p}
selector: {namespaces: [demo], containers: [main]}
rules: [{name: r, when: 'call.verb == "get"', do: alert}]
"""


def pod(
    labels: dict[str, str] | None = None, spec: dict[str, Any] | None = None, id_: str = "c1", state: str = "running"
) -> dict[str, Any]:
    status = {"name": "main", "containerID": f"containerd://{id_}", "state": {state: {"startedAt": "2026-01-01T00:00:00Z"}}}
    about = {"namespace": "demo", "name": "agent", "labels": labels or {}}
    return {"metadata": about, "spec": {"nodeName": "n1", **(spec or {})}, "status": {"containerStatuses": [status]}}


def found(one: dict[str, Any], *chosen: Policy, node: dict[str, Any] = NODE, seen: Observed = SEEN, **more: Any) -> list[Running]:
    given = {"namespaces": (SPACE,), "runtimes": ({"metadata": {"name": "safe"}, "handler": "runsc"},)} | more
    return coverage(Cluster((one,), (node,), **given), chosen, seen, "chaperone")


def why(one: dict[str, Any], **more: Any) -> str:
    (running,) = found(one, **more)
    return running.why


RECORD = {"chaperone.dev/govern": "record"}


def test_a_container_with_an_open_session_is_observed() -> None:
    assert found(pod(RECORD)) == [Running("demo", "agent", "main", "c1", "n1")]


def test_who_is_not_selected_is_nobodys_business() -> None:
    assert found(pod()) == found(pod({"chaperone.dev/govern": "off"})) == []
    assert found(pod(), *policies(TEXT, "p")) and not found(pod(), *policies(TEXT.replace("main", "side"), "p"))
    assert not found(pod(), *policies(TEXT.replace("selector: {namespaces: [demo], containers: [main]}\n", ""), "p"))
    labelled = {"metadata": {"name": "demo", "labels": {"chaperone.dev/govern": "enforce"}}}
    assert found(pod(), namespaces=(labelled,))
    assert not found(pod(RECORD, state="waiting"))
    for name in ("kube-system", "chaperone"):
        one = pod(RECORD)
        one["metadata"]["namespace"] = name
        assert not found(one)


@pytest.mark.parametrize(
    ("spec", "node", "reason"),
    [
        ({"runtimeClassName": "gvisor"}, NODE, "runs in gVisor"),
        ({"runtimeClassName": "safe"}, NODE, "runs in gVisor"),
        ({"runtimeClassName": "kata-qemu"}, NODE, "runs in Kata Containers"),
        ({}, {"metadata": {"name": "n1"}, "status": {"nodeInfo": {"operatingSystem": "windows"}}}, "its node runs Windows"),
        ({}, {"metadata": {"name": "n1", "labels": {"type": "virtual-kubelet"}}}, "its node is a virtual kubelet"),
        ({}, {"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "virtual-kubelet.io/provider"}]}}, "its node is a virtual kubelet"),
        ({}, {"metadata": {"name": "n1"}, "status": {"nodeInfo": {"architecture": "arm64"}}}, "its node is arm64"),
    ],
)
def test_where_no_agent_can_see_a_session_proves_nothing(spec: dict[str, Any], node: dict[str, Any], reason: str) -> None:
    assert why(pod(RECORD, spec), node=node) == reason


def test_one_without_a_session_is_not_observed() -> None:
    other = pod(RECORD, id_="c2")
    assert why(other) == "its node's agent has no session of it"
    assert why(other, seen=Observed(frozenset(), frozenset(), SEEN.now)) == "no agent calls from its node"


def test_one_that_just_began_is_not_missed_yet() -> None:
    began = 1_767_225_600.0  # 2026-01-01
    assert why(pod(RECORD, id_="c2"), seen=Observed(frozenset(), frozenset(), began + FRESH_S - 1)) == ""
    assert why(pod(RECORD, id_="c2"), seen=Observed(frozenset(), frozenset(), began + FRESH_S)) != ""


def test_odd_objects_harm_nothing() -> None:
    odd: list[dict[str, Any]] = [{}, {"metadata": 7, "status": {"containerStatuses": [5, {"state": 3}]}}, pod(RECORD)]
    assert len(coverage(Cluster(tuple(odd), ({},), ({},), ({},)), (), SEEN)) == 1
