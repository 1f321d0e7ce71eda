"""What rules leave alone unless they name it."""

import pytest
from support.judged_events import call, egress, piece
from support.policies import HEAD, rules

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.condition import compiled
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.evaluate import evaluate, explain
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.spared import ALL, Spared, kind_of, named_by

NO_WRITES = "- {name: a, when: 'call.write || call.method == \"GET\"', do: deny, enforce: enforce}\n"
LEASE = {"apiGroup": "coordination.k8s.io", "resource": "leases", "name": "leader", "requestURI": "/apis/coordination.k8s.io/v1/x"}
NOTHING = {"apiGroup": "", "resource": "", "namespace": "", "name": ""}


def health(uri: str, **changed: object) -> Event:
    return call(**NOTHING | {"verb": "get", "requestURI": uri} | changed)


@pytest.mark.parametrize("verb", ["get", "create", "update", "patch"])
def test_a_lease_is_spared_while_it_is_read_and_renewed(verb: str) -> None:
    assert kind_of(call(**LEASE, verb=verb)) is Spared.LEASES


@pytest.mark.parametrize("uri", ["/healthz", "/livez?verbose", "/readyz/etcd"])
def test_a_request_for_health_is_spared(uri: str) -> None:
    assert kind_of(health(uri)) is Spared.HEALTH


@pytest.mark.parametrize(
    "event",
    [
        call(**LEASE, verb="delete"),
        call(**LEASE, verb="deletecollection"),
        call(**LEASE | {"apiGroup": "example.org"}, verb="update"),
        call(**LEASE, subresource="status", verb="update"),
        call(resource="configmaps", verb="update", requestURI="/healthz"),
        health("/healthzz"),
        health("/api/healthz"),
        health("/healthz", method="POST"),
        health("/healthz/../x", ambiguous=["an empty or dot segment in the path"]),
        piece("event", "{}", **LEASE),
        egress("x"),
    ],
)
def test_nothing_else_is(event: Event) -> None:
    assert kind_of(event) is None


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ("call.write", set()),
        ("call.write // leases", set()),
        ('call.write && call.resource != "leases"', {Spared.LEASES}),
        ('call.resource in ["pods", "leases"]', {Spared.LEASES}),
        ('call.apiGroup == "coordination.k8s.io"', {Spared.LEASES}),
        ("call.path.startsWith('/readyz')", {Spared.HEALTH}),
        ("call.public", {Spared.HEALTH}),
    ],
)
def test_a_condition_names_them_in_its_texts(condition: str, named: set[Spared]) -> None:
    assert named_by([compiled(condition, {})]) == named


def test_a_list_names_them_too() -> None:
    assert named_by([compiled("call.resource in kinds", {"kinds": '["leases"]'})]) == {Spared.LEASES}


def test_a_rule_that_has_an_effect_says_nothing_of_them() -> None:
    loaded = rules(NO_WRITES)
    for event in (call(**LEASE, verb="update"), health("/readyz")):
        assert evaluate(loaded, Memory(), event)[0] == ()
        [finding], _ = explain(loaded, Memory(), event)
        assert finding.why == f"spared ({kind_of(event)}): the rule does not name it"
    assert [verdict.rule for verdict in evaluate(loaded, Memory(), call(verb="update"))[0]] == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        NO_WRITES.replace("call.write", 'call.resource == "leases"'),
        NO_WRITES.replace("do: deny, enforce: enforce", "do: alert"),
        HEAD + "spares: []\nrules:\n" + NO_WRITES,
        HEAD + "spares: [health]\nrules:\n" + NO_WRITES,
    ],
)
def test_one_that_names_them_or_only_tells_or_whose_policy_spares_none_does(text: str) -> None:
    assert [verdict.rule for verdict in evaluate(rules(text), Memory(), call(**LEASE, verb="update"))[0]] == ["a"]


def test_they_count_for_no_window() -> None:
    counted = NO_WRITES.replace("do:", "count: 2, within: 1m, do:")
    memory = Memory()
    for event in (call(**LEASE, verb="update"), call(second=1, verb="update")):
        verdicts, memory = evaluate(rules(counted), memory, event)
        assert verdicts == ()


def test_a_policy_says_which_and_all_by_itself() -> None:
    [policy] = policies(HEAD + "spares: [leases]\nrules:\n" + NO_WRITES, "f")
    [usual] = policies(HEAD + "rules:\n" + NO_WRITES, "f")
    assert (policy.rules[0].spares, usual.rules[0].spares) == ({Spared.LEASES}, ALL)
    with pytest.raises(PolicyError, match=r"spares\[0\]: expected one of leases, health, found 'pods'"):
        policies(HEAD + "spares: [pods]\nrules: []\n", "f")
