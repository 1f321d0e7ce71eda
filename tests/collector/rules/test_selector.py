"""Which sessions a policy concerns, and what a pod's label does to its mode."""

from typing import Any

import pytest
from support.policies import HEAD

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged, concerning
from chaperone.collector.rules.selector import EVERYTHING, MODE_LABEL, Selector, raised
from chaperone.collector.rules.terms import Mode

KNOWN = {"namespace": "agents", "name": "coder-1", "container": "main", "serviceAccount": "agents:coder"}
POD: dict[str, Any] = {"id": "s", "node": "gpu-1", "labels": {"app": "coder", "tier": "x"}, "lookedUp": KNOWN}
RUN: dict[str, Any] = {"id": "r", "node": "gpu-1", "labels": {"app": "coder"}}
UNKNOWN: dict[str, Any] = {"id": "u", "node": "", "labels": {}, "lookedUp": dict.fromkeys(KNOWN, "")}


def selector(text: str) -> Selector:
    [policy] = policies(f"{HEAD}selector: {text}\nrules: []\n", "policy.yaml")
    return policy.selector


FITS = {
    "{namespaces: [agents]}": True,
    "{namespaces: [ci, 'ag*']}": True,
    "{namespaces: [ci]}": False,
    "{labels: {app: coder}}": True,
    "{labels: {app: 'c*', tier: '*'}}": True,
    "{labels: {app: coder, team: '*'}}": False,
    "{serviceAccounts: ['agents:*']}": True,
    "{serviceAccounts: [coder]}": False,
    "{containers: [main]}": True,
    "{containers: [side]}": False,
    "{nodes: ['gpu-*']}": True,
    "{nodes: [cpu]}": False,
    "{namespaces: [agents], nodes: [cpu]}": False,
    "{namespaces: [agents], labels: {app: coder}, serviceAccounts: ['*'], containers: [main], nodes: ['*']}": True,
}


@pytest.mark.parametrize("text", FITS)
def test_all_keys_must_fit_and_of_each_one_pattern(text: str) -> None:
    assert selector(text).concerns(POD) is FITS[text]


@pytest.mark.parametrize("text", FITS)
def test_of_a_run_only_the_node_can_fit(text: str) -> None:
    assert selector(text).concerns(RUN) is (text == "{nodes: ['gpu-*']}")


@pytest.mark.parametrize("text", FITS)
def test_a_pod_that_nobody_could_look_up_is_not_let_off(text: str) -> None:
    assert selector(text).concerns(UNKNOWN)


def test_without_a_selector_a_policy_concerns_everything() -> None:
    [policy] = policies(f"{HEAD}rules: []\n", "policy.yaml")
    assert policy.selector is EVERYTHING and policy.selector.concerns(RUN) and policy.selector.concerns(POD)


MISTAKES = {
    "{}": "policy.yaml:4: selector: expected one of namespaces",
    "{pods: [a]}": "policy.yaml:4: selector.pods: unknown key; expected one of namespaces",
    "{namespaces: agents}": "policy.yaml:4: selector.namespaces: expected a list, found 'agents'",
    "{namespaces: []}": "policy.yaml:4: selector.namespaces: expected at least one pattern",
    "{labels: [a]}": "policy.yaml:4: selector.labels: expected a mapping of names to texts, found a list",
    "{labels: {}}": "policy.yaml:4: selector.labels: expected at least one label",
    "{labels: {a: [b]}}": "policy.yaml:4: selector.labels.a: expected a text, found a list",
    "{labels: {a: b, a: c}}": "policy.yaml:4: selector.labels.a: expected each key once",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place(text: str) -> None:
    with pytest.raises(PolicyError) as raised_:
        selector(text)
    assert str(raised_.value).startswith(MISTAKES[text])


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("label", ["off", "record", "enforce", "enforec", ""])
def test_a_label_raises_and_never_lowers(mode: Mode, label: str) -> None:
    order = ["off", "record", "enforce"]
    wanted = order[max(order.index(mode), order.index(label) if label in order else 0)]
    assert raised(mode, POD | {"labels": {MODE_LABEL: label}}) == wanted
    assert raised(mode, RUN | {"labels": {MODE_LABEL: label}}) is mode, "a run's labels are its own word"


def test_a_policy_that_is_off_judges_the_pod_whose_label_asks_for_it() -> None:
    text = HEAD + "mode: 'off'\nrules:\n- {name: a, when: 'true', do: deny, enforce: enforce}\n"
    rules = arranged(policies(text, "policy.yaml"))
    assert rules.all == () and concerning(rules, POD).all == ()
    [rule] = concerning(rules, POD | {"labels": {MODE_LABEL: "enforce"}}).all
    assert rule.effective == "enforce"


def test_where_all_policies_concern_a_session_nothing_is_made_anew() -> None:
    rules = arranged(policies(f"{HEAD}rules: []\n", "policy.yaml"))
    assert concerning(rules, POD) is rules
