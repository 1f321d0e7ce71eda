"""What a governed pod makes is judged as the pod is: two sessions, by what their agents say; and agents govern it so, as they are told."""

import json
from dataclasses import replace
from typing import Any

import pytest
from support.conversations import Conversation
from support.judging import judged_pipeline, taken
from support.policies import HEAD

from chaperone.agent.pods.facts import PodFacts, facts_of
from chaperone.agent.pods.select import Mode, Selection, selectors_of
from chaperone.collector.ingest.selection import selection_of
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Direction, Record, SessionStarted

POLICY = """selector: {labels: {app: agent}}
onFailure: deny
rules: [{name: no-delete, when: call.verb == "delete", do: deny, enforce: enforce}]
"""
RULES = arranged(policies(HEAD + POLICY, "p.yaml"))


def pod(one: Conversation, name: str, owner: str = "", **labels: str) -> list[Record]:
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    told: dict[str, Any] = {"labels": labels, "namespace": "demo", "pod": name, "container": "c", "container_id": name, "owner": owner}
    return [SessionStarted(first.session, first.workload, first.time, node="n", **told), *rest]


def made(one: Conversation, resource: str, name: str, group: str = "apis/batch") -> list[Record]:
    """A creation and its answer."""
    sent = json.dumps({"kind": "X", "metadata": {"name": name}}).encode()
    head = f"POST /{group}/v1/namespaces/demo/{resource} HTTP/1.1\r\nHost: 10.0.0.1:6443\r\nContent-Type: application/json\r\n"
    asked = one.chunk(Direction.OUT, f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
    told = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    return [asked, one.chunk(Direction.IN, told + sent)]


def deleted(one: Conversation) -> list[Record]:
    line = b"DELETE /api/v1/namespaces/demo/pods/x HTTP/1.1\r\nHost: 10.0.0.1:6443\r\n\r\n"
    return [one.chunk(Direction.OUT, line), one.chunk(Direction.IN, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]


def verdicts(rows: list[Row], one: Conversation) -> set[str]:
    return {row.document["rule"] for row in rows if row.kind is Kind.VERDICT and row.session == one.session}


def begun() -> tuple[JudgedPipeline, list[Row], Conversation]:
    pipeline, rows = judged_pipeline(RULES)
    agent = Conversation("agent")
    taken(pipeline, [pod(agent, "agent", app="agent"), made(agent, "jobs", "helper")])
    return pipeline, rows, agent


def test_the_pods_of_a_job_are_judged_by_its_makers_policies_and_those_of_others_are_not() -> None:
    pipeline, rows, _ = begun()
    heir, other = Conversation("heir"), Conversation("other")
    taken(pipeline, [pod(heir, "helper-x1", "Job/helper"), pod(other, "else-x1", "Job/else"), deleted(heir), deleted(other)])
    assert (verdicts(rows, heir), verdicts(rows, other)) == ({"no-delete"}, set())
    governed = [row.document["governedBy"] for row in rows if row.session == heir.session and "governedBy" in row.document]
    assert governed == [[{"policy": "agents", "mode": "enforce", "from": "collector", "rules": 1, "enforced": 1}]]


def test_one_that_began_before_its_maker_was_known_is_judged_from_then_on() -> None:
    pipeline, rows = judged_pipeline(RULES)
    agent, heir = Conversation("agent"), Conversation("heir")
    taken(pipeline, [pod(heir, "helper-x1", "Job/helper"), pod(agent, "agent", app="agent"), made(agent, "jobs", "helper"), deleted(heir)])
    assert verdicts(rows, heir) == {"no-delete"}


def test_agents_are_told_to_govern_them_on_the_same_terms() -> None:
    pipeline, _, _ = begun()
    told = selection_of(RULES.policies, known(pipeline))
    [selector], [heir] = list(told.selectors), list(told.heirs)
    assert (heir.mode, list(heir.namespaces), list(heir.owners), heir.on_failure) == ("enforce", ["demo"], ["Job/helper"], "deny")
    assert heir.verdict_timeout_s == selector.verdict_timeout_s and not selector.owners


@pytest.mark.parametrize(
    ("group", "resource", "kind", "controller"),
    [
        ("api", "pods", "", ""),
        ("api", "replicationcontrollers", "ReplicationController", "helper"),
        ("apis/apps", "replicasets", "ReplicaSet", "helper"),
        ("apis/apps", "deployments", "ReplicaSet", "helper-5d8f7c"),
        ("apis/apps", "statefulsets", "StatefulSet", "helper"),
        ("apis/apps", "daemonsets", "DaemonSet", "helper"),
        ("apis/batch", "jobs", "Job", "helper"),
        ("apis/batch", "cronjobs", "Job", "helper-29012345"),
    ],
)
def test_an_agent_enforces_what_a_governed_pod_made_by_whatever_controller(group: str, resource: str, kind: str, controller: str) -> None:
    """From the call to the pods of the API: what the collector tells goes over the wire to the agent's own selection."""
    pipeline, rows = judged_pipeline(RULES)
    agent, heir = Conversation("agent"), Conversation("heir")
    taken(pipeline, [pod(agent, "agent", app="agent"), made(agent, resource, "helper", group)])
    selection = told(pipeline)
    facts = pod_of_the_api("helper-x1" if kind else "helper", kind, controller)
    assert selection.mode_of(facts, {}) is Mode.ENFORCE and selection.terms_of(facts).denies
    for other in (pod_of_the_api("else-x1", kind, f"else{controller.removeprefix('helper')}"), replace(facts, namespace="other")):
        assert selection.mode_of(other, {}) is Mode.OFF
    taken(pipeline, [pod(heir, facts.name, facts.owner), deleted(heir)])
    assert verdicts(rows, heir) == {"no-delete"}


def test_what_an_heir_makes_is_governed_too() -> None:
    pipeline, rows, _ = begun()
    heir, grandchild = Conversation("heir"), Conversation("grandchild")
    taken(pipeline, [pod(heir, "helper-x1", "Job/helper"), made(heir, "deployments", "more", "apis/apps")])
    facts = pod_of_the_api("more-5d8-x1", "ReplicaSet", "more-5d8")
    assert told(pipeline).mode_of(facts, {}) is Mode.ENFORCE
    taken(pipeline, [pod(grandchild, facts.name, facts.owner), deleted(grandchild)])
    assert verdicts(rows, grandchild) == {"no-delete"}


def told(pipeline: JudgedPipeline) -> Selection:
    """An agent's, as it reads what the collector says."""
    said = selection_of(RULES.policies, known(pipeline)).SerializeToString()
    return Selection(selectors_of(wire.Selection.FromString(said)))


def pod_of_the_api(name: str, kind: str, controller: str) -> PodFacts:
    owners = [{"kind": "Node", "name": "n"}, *([{"kind": kind, "name": controller, "controller": True}] if kind else [])]
    facts = facts_of({"metadata": {"uid": "u", "namespace": "demo", "name": name, "ownerReferences": owners}})
    assert facts
    return facts


def test_a_later_collector_goes_on_with_them() -> None:
    pipeline, rows, _ = begun()
    [found] = {row.id: row.document for row in rows if row.kind is Kind.HEIR}.values()
    later, rows = judged_pipeline(RULES)
    known(later).recall([found])
    heir = Conversation("heir")
    taken(later, [pod(heir, "helper-x1", "Job/helper"), deleted(heir)])
    assert verdicts(rows, heir) == {"no-delete"} and list(known(later)) == list(known(pipeline))


def known(pipeline: JudgedPipeline) -> Any:
    return pipeline._judge.heirs
