import json
from typing import Any

import pytest

from chaperone.collector.rules import heirs as module
from chaperone.collector.rules.heirs import Heirs
from chaperone.collector.rules.terms import Mode

AGENTS = (("agents", Mode.ENFORCE),)


def call(resource: str, name: str = "web", code: int = 201, **more: Any) -> dict[str, Any]:
    group = {"pods": "", "jobs": "batch", "cronjobs": "batch", "replicationcontrollers": ""}.get(resource, "apps")
    return {"session": "s1", "resource": resource, "apiGroup": group, "namespace": "demo", "name": name, "code": code, **more}


def body(**about: str) -> dict[str, Any]:
    data = json.dumps({"metadata": about})
    return {"data": data, "size": len(data), "complete": True, "encoding": "utf-8", "form": "json"}


def session(owner: str, name: str = "p", namespace: str = "demo") -> dict[str, Any]:
    return {"id": "s2", "lookedUp": {"namespace": namespace, "owner": owner, "name": name}}


@pytest.mark.parametrize(
    ("resource", "owner"),
    [
        ("replicasets", "ReplicaSet/web"),
        ("deployments", "ReplicaSet/web-5d8f7c"),
        ("statefulsets", "StatefulSet/web"),
        ("daemonsets", "DaemonSet/web"),
        ("jobs", "Job/web"),
        ("cronjobs", "Job/web-29387"),
        ("replicationcontrollers", "ReplicationController/web"),
    ],
)
def test_pods_of_what_was_made_inherit(resource: str, owner: str) -> None:
    heirs = Heirs()
    assert heirs.take(
        call(resource, apiGroup="" if resource == "replicationcontrollers" else call(resource)["apiGroup"]), Mode.ENFORCE, AGENTS
    )
    assert heirs.inherited(session(owner)) == dict(AGENTS)
    assert heirs.inherited(session(owner, namespace="other")) == heirs.inherited(session(f"{owner}-x-y")) == {}


def test_a_pod_without_a_controller_inherits_by_its_own_name() -> None:
    heirs = Heirs()
    heirs.take(call("pods", "tool"), Mode.ENFORCE, AGENTS)
    assert heirs.inherited(session("", "tool")) == dict(AGENTS) and heirs.inherited(session("", "other")) == {}


def test_a_name_that_the_server_chose_is_in_its_answer() -> None:
    heirs = Heirs()
    made = call("jobs", "", requestBody=body(generateName="run-"), responseBody=body(name="run-x7f"))
    assert heirs.take(made, Mode.ENFORCE, AGENTS) is not None
    assert heirs.inherited(session("Job/run-x7f")) == dict(AGENTS)
    assert heirs.take(call("jobs", "", requestBody=body(name="asked")), Mode.ENFORCE, AGENTS) is not None
    assert heirs.inherited(session("Job/asked")) == dict(AGENTS)


@pytest.mark.parametrize(
    "other",
    [
        call("pods", code=403),
        call("pods", code=200),
        call("configmaps"),
        call("pods", subresource="exec"),
        call("pods", ""),
        call("deployments", apiGroup="example.com"),
        call("jobs", "", responseBody={"complete": False, "size": 5, "data": None, "encoding": "utf-8"}),
    ],
)
def test_what_made_nothing_that_runs_has_no_heirs(other: dict[str, Any]) -> None:
    heirs = Heirs()
    assert heirs.take(other, Mode.ENFORCE, AGENTS) is None and not list(heirs) and not heirs.changes


def test_a_mode_is_raised_and_never_lowered() -> None:
    heirs = Heirs()
    heirs.take(call("jobs"), Mode.RECORD, (("agents", Mode.RECORD),))
    assert heirs.take(call("jobs"), Mode.RECORD, (("agents", Mode.RECORD),)) is None
    assert heirs.take(call("jobs"), Mode.ENFORCE, (*AGENTS, ("more", Mode.RECORD))) is not None
    assert heirs.take(call("jobs"), Mode.RECORD, (("agents", Mode.RECORD),)) is None
    assert heirs.inherited(session("Job/web")) == {"agents": Mode.ENFORCE, "more": Mode.RECORD}
    assert [heir.mode for heir in heirs] == [Mode.ENFORCE]


def test_they_are_recalled_and_the_oldest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    heirs, later = Heirs(), Heirs()
    heirs.take(call("jobs", "a"), Mode.ENFORCE, AGENTS)
    heirs.take(call("jobs", "b"), Mode.ENFORCE, AGENTS)
    later.recall(heir.document() for heir in heirs)
    assert list(later) == list(heirs) and later.inherited(session("Job/a")) == dict(AGENTS)
    monkeypatch.setattr(module, "LIMIT", 2)
    later.take(call("jobs", "c"), Mode.ENFORCE, AGENTS)
    assert [heir.owner for heir in later] == ["Job/b", "Job/c"]
