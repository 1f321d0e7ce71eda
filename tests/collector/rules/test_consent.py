import pytest
from support.judged_events import call
from support.policies import rules

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.consent import Consent
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.memory import Memory
from chaperone.collector.times import SECOND

ASKS = "- {name: a, when: 'true', do: approve%s}"


def consent_of(more: str) -> Consent | None:
    return rules(ASKS % more)[0].consent


def test_what_a_rule_wants() -> None:
    assert consent_of("") == Consent(1, ("unix:root",), 900 * SECOND, 10 * SECOND)
    found = consent_of(", approvals: 2, approvers: ['user:ann', 'group:sre'], expires: 1h, holdLimit: 60s")
    assert found == Consent(2, ("user:ann", "group:sre"), 3600 * SECOND, 60 * SECOND)
    assert rules("- {name: a, when: 'true', do: deny}")[0].consent is None


def test_the_hold_limit_is_the_policys_unless_the_rule_says_more() -> None:
    head = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: p}\nholdLimit: 3s\nrules:\n"
    [policy] = policies(head + (ASKS % "") + "\n" + "- {name: b, when: 'true', do: approve, holdLimit: 1m}\n", "f")
    assert [rule.consent and rule.consent.hold_limit_ns for rule in policy.rules] == [3 * SECOND, 60 * SECOND]


def test_the_verdict_says_it() -> None:
    [verdict], _ = evaluate(rules(ASKS % ", approvers: ['user:ann']"), Memory(), call())
    assert verdict.consent and verdict.consent.approvers == ("user:ann",)


MISTAKES = {
    "- {name: a, when: 'true', do: deny, approvals: 2}": "rules[0].approvals: expected do: approve beside it",
    "- {name: a, when: 'true', do: alert, approvers: ['user:a']}": "rules[0].approvers: expected do: approve beside it",
    ASKS % ", approvals: 0": "expected a whole number from 1 to 10",
    ASKS % ", approvals: 2": "expected at most as many as there are approvers, 1, found 2",
    ASKS % ", approvers: []": "expected at least one approver",
    ASKS % ", approvers: [root]": "expected unix:NAME, user:NAME or group:NAME, found 'root'",
    ASKS % ", approvers: ['user:']": "expected unix:NAME, user:NAME or group:NAME, found 'user:'",
    ASKS % ", expires: never": "rules[0].expires: expected a time up to 24h",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named(text: str) -> None:
    with pytest.raises(PolicyError) as raised:
        rules(text)
    assert MISTAKES[text] in str(raised.value)
