"""When policies act, and on which terms."""

import pytest
from support.policies import HEAD

from chaperone.collector.rules.acting import acts, keeping, strictest
from chaperone.collector.rules.document import Policy, policies
from chaperone.collector.rules.terms import Keeping, Mode, OnFailure
from chaperone.collector.times import SECOND

RULE = "- name: r\n  when: call.verb == 'get'\n  do: {do}\n  enforce: {enforce}\n"


def policy(do: str = "deny", enforce: str = "enforce", terms: str = "") -> Policy:
    return policies(f"{HEAD}{terms}\nrules:\n{RULE.format(do=do, enforce=enforce)}", "policy.yaml")[0]


@pytest.mark.parametrize("do", ["deny", "approve", "kill", "mask"])
def test_a_rule_acts_that_has_an_effect_and_is_meant(do: str) -> None:
    assert acts(policy(do).rules[0])
    assert not acts(policy(do, "warn").rules[0])
    assert not acts(policy(do, terms="mode: record").rules[0])


@pytest.mark.parametrize("do", ["alert", "allow"])
def test_a_rule_without_effect_never_acts(do: str) -> None:
    assert not acts(policy(do).rules[0])


def test_nothing_is_held_where_no_rule_acts() -> None:
    assert strictest([policy("alert"), policy(enforce="observe"), policy(terms="mode: record\nonFailure: deny")]) is None


def test_each_term_is_the_strictest_of_the_policies_that_act() -> None:
    ones = [
        policy(terms="verdictTimeout: 1s\nunreadable: allow"),
        policy(terms="onFailure: deny\nholdLimit: 5s"),
        policy("alert", terms="verdictTimeout: 100ms"),
    ]
    found = strictest(ones)
    assert found is not None
    assert (found.mode, found.on_failure) == (Mode.ENFORCE, OnFailure.DENY)
    assert found.unreadable is OnFailure.DENY
    assert (found.verdict_timeout_ns, found.hold_limit_ns) == (SECOND, 5 * SECOND)


def test_one_policy_that_is_not_off_makes_a_recording_strict() -> None:
    strict, off, lax = policy(terms="record: strict"), policy(terms="mode: off\nrecord: strict"), policy()
    assert keeping([lax, strict]) is Keeping.STRICT
    assert keeping([lax, off]) is keeping([]) is Keeping.BEST_EFFORT
    assert keeping([policy("alert", terms="mode: record\nrecord: strict")]) is Keeping.STRICT, "whether or not a rule acts"


def test_a_rule_that_asks_has_calls_held_for_as_long_as_it_says() -> None:
    asking = (
        f"{HEAD}holdLimit: 5s\nrules:\n" + RULE.format(do="approve", enforce="enforce") + "  holdLimit: 60s\n  approvers: ['unix:root']\n"
    )
    found = strictest([*policies(asking, "policy.yaml"), policy()])
    assert found is not None and found.hold_limit_ns == 60 * SECOND
