import pytest

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.objects import author_of, complaint, name_of, policy_of, text_of

ONE = {
    "apiVersion": "chaperone.dev/v1",
    "kind": "Policy",
    "metadata": {"name": "agents", "uid": "u1", "generation": 3, "managedFields": []},
    "selector": {"namespaces": ["agents"], "labels": {"app": "coder"}},
    "verdictTimeout": "5s",
    "rules": [{"name": "r", "when": 'call.verb == "delete"', "count": 10, "within": "60s", "do": "deny", "message": "nein, ü"}],
    "status": {"accepted": True},
}


def test_an_object_is_the_policy_of_a_file_with_the_same_keys() -> None:
    policy = policy_of(ONE)
    [rule] = policy.rules
    assert (policy.name, policy.file, policy.terms.verdict_timeout_ns) == ("agents", "policies.chaperone.dev/agents", 5_000_000_000)
    assert (rule.window.count, str(rule.do), str(rule.enforce)) == (10, "deny", "observe"), "a rule that does not say so only reports"
    assert "uid" not in text_of(ONE) and "status" not in text_of(ONE) and "ü" in text_of(ONE)


def test_a_mistake_is_told_with_line_and_key() -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of({**ONE, "rules": [{"name": "r", "when": "call.verb ==", "do": "deny"}]})
    assert complaint(caught.value).startswith("line ") and " rules[0].when: expected " in complaint(caught.value)
    with pytest.raises(PolicyError, match=r"rules\[0\].do: expected one of"):
        policy_of({**ONE, "rules": [{"name": "r", "when": "true", "do": "denie"}]})


def test_what_is_odd_is_a_mistake_too() -> None:
    for odd in ({"metadata": {"name": "x"}}, {**ONE, "rules": "none"}, {**ONE, "nonsense": 1}, {**ONE, "metadata": {"name": ""}}):
        with pytest.raises(PolicyError):
            policy_of(odd)
    assert name_of({}) == name_of({"metadata": {"name": 5}}) == ""


def test_the_author_is_who_managed_it_last_but_for_its_status() -> None:
    managed = [
        {"manager": "helm", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
        {"manager": "chaperone", "operation": "Update", "time": "2026-01-03T00:00:00Z", "subresource": "status"},
    ]
    assert author_of({"metadata": {"managedFields": managed}}) == "manager kubectl-edit (Update)"
    assert author_of({}) == author_of({"metadata": {"managedFields": "x"}}) == "unknown"
