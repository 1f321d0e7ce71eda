"""What a governed pod makes is judged as the pod is: two sessions, by what their agents say."""

import json
from typing import Any

from support.conversations import Conversation
from support.judging import judged_pipeline, taken
from support.policies import HEAD

from chaperone.collector.ingest.selection import selection_of
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.collector.store.rows import Kind, Row
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


def made(one: Conversation, resource: str, name: str) -> list[Record]:
    """A creation and its answer."""
    sent = json.dumps({"kind": "X", "metadata": {"name": name}}).encode()
    head = f"POST /apis/batch/v1/namespaces/demo/{resource} HTTP/1.1\r\nHost: 10.0.0.1:6443\r\nContent-Type: application/json\r\n"
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
