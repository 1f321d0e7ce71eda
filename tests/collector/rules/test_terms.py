import pytest
from support.policies import HEAD

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.terms import Keeping, Mode, OnFailure, Scan, Terms, Uncovered, effective, strictest
from chaperone.collector.rules.verdict import Enforce
from chaperone.collector.times import SECOND

WRITTEN = """mode: record
onFailure: deny
verdictTimeout: 500ms
holdLimit: 1m
uncovered: deny
unreadable: allow
record: strict
bodies: none
egress: {scan: "on"}
rules: []
"""


def read(text: str) -> Terms:
    [policy] = policies(HEAD + text, "policy.yaml")
    return policy.terms


def test_a_policy_that_says_nothing_has_the_defaults() -> None:
    assert read("rules: []\n") == Terms()


def test_each_key_is_read() -> None:
    found = read(WRITTEN)
    assert (found.mode, found.on_failure, found.verdict_timeout_ns, found.hold_limit_ns) == (
        Mode.RECORD,
        OnFailure.DENY,
        SECOND // 2,
        60 * SECOND,
    )
    assert (found.uncovered, found.unreadable, found.record, found.egress_scan) == (
        Uncovered.DENY,
        OnFailure.ALLOW,
        Keeping.STRICT,
        Scan.ON,
    )


@pytest.mark.parametrize("line", ["mode: maybe", "verdictTimeout: soon", "egress: {scan: often}", "egress: {}", "bodies: all"])
def test_a_wrong_value_is_refused_with_line_and_key(line: str) -> None:
    key = line.partition(":")[0]
    with pytest.raises(PolicyError, match=rf"policy\.yaml:4: {key}.*expected"):
        read(f"{line}\nrules: []\n")


def test_a_rule_enforces_only_where_its_policy_does() -> None:
    assert effective(Mode.ENFORCE, Enforce.ENFORCE) is Enforce.ENFORCE
    assert effective(Mode.RECORD, Enforce.ENFORCE) is Enforce.OBSERVE
    assert effective(Mode.ENFORCE, Enforce.OBSERVE) is Enforce.OBSERVE
    assert effective(Mode.RECORD, Enforce.WARN) is Enforce.WARN


def test_a_policy_that_follows_records_by_itself_and_has_no_say_beside_others() -> None:
    found, lax = read("mode: follow\nrules: []\n"), read("unreadable: allow\nverdictTimeout: 5s\nrules: []\n")
    assert (found.mode, found.follows) == (Mode.RECORD, True)
    assert strictest([found]) == found and strictest([lax, found]) == lax


@pytest.mark.parametrize("line", ["onFailure: deny", "record: strict", 'egress: {scan: "on"}'])
def test_a_policy_that_follows_says_nothing_else(line: str) -> None:
    with pytest.raises(PolicyError, match=f"{line.partition(':')[0]}.*expected none beside mode: follow"):
        read(f"mode: follow\n{line}\nrules: []\n")


def test_of_several_policies_each_key_is_the_strictest() -> None:
    lax = Terms(mode=Mode.RECORD, verdict_timeout_ns=SECOND, unreadable=OnFailure.ALLOW, uncovered=Uncovered.ALLOW)
    strict = read(WRITTEN.replace("mode: record", "mode: enforce"))
    found = strictest([lax, strict])
    assert (found.mode, found.on_failure, found.verdict_timeout_ns) == (Mode.ENFORCE, OnFailure.DENY, SECOND // 2)
    assert (found.unreadable, found.record, found.uncovered, found.egress_scan) == (
        OnFailure.ALLOW,
        Keeping.STRICT,
        Uncovered.DENY,
        Scan.ON,
    )
    assert strictest([]) == Terms()
