"""Whether policies act on a workload, and on which terms: only then are its calls held."""

from collections.abc import Iterable
from dataclasses import replace

from chaperone.collector.rules.document import Policy, Rule
from chaperone.collector.rules.terms import DEFAULT, Mode, OnFailure, Terms
from chaperone.collector.rules.verdict import Action, Enforce

ACTING = (Action.DENY, Action.APPROVE, Action.KILL, Action.MASK)  # what has an effect on the workload


def acts(rule: Rule) -> bool:
    """Has its verdict an effect on the workload?"""
    return rule.do in ACTING and rule.effective is Enforce.ENFORCE


def strictest(policies: Iterable[Policy]) -> Terms | None:
    """Of all policies with a rule that acts, each term at its strictest; None where no rule acts."""
    found = [policy.terms for policy in policies if any(map(acts, policy.rules))]
    if not found:
        return None
    is_denied = any(terms.on_failure is OnFailure.DENY for terms in found)
    return replace(
        DEFAULT,
        mode=Mode.ENFORCE,
        on_failure=OnFailure.DENY if is_denied else OnFailure.ALLOW,
        verdict_timeout_ns=min(terms.verdict_timeout_ns for terms in found),
        hold_limit_ns=min(terms.hold_limit_ns for terms in found),
    )
