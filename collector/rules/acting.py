"""Whether policies act on a workload, and on which terms: only then are its calls held."""

from collections.abc import Iterable
from dataclasses import replace

from chaperone.collector.rules import terms
from chaperone.collector.rules.document import Policy, Rule
from chaperone.collector.rules.terms import Keeping, Mode, Terms
from chaperone.collector.rules.verdict import ACTING, Enforce, Verdict


def acts(rule: Rule) -> bool:
    """Has its verdict an effect on the workload?"""
    return rule.do in ACTING and rule.effective is Enforce.ENFORCE


def acting(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The one that is carried out, of verdicts of one event with the strictest first."""
    return next((verdict for verdict in verdicts if verdict.action in ACTING and verdict.effective is Enforce.ENFORCE), None)


def strictest(policies: Iterable[Policy]) -> Terms | None:
    """Of all policies with a rule that acts, each term at its strictest; None where no rule acts. But a rule that asks for an approval
    may have calls held for as long as it says."""
    acting_ones = [policy for policy in policies if any(map(acts, policy.rules))]
    if not acting_ones:
        return None
    found = terms.strictest(policy.terms for policy in acting_ones)
    asking = [rule.consent.hold_limit_ns for policy in acting_ones for rule in policy.rules if rule.consent and acts(rule)]
    return replace(found, hold_limit_ns=max([found.hold_limit_ns, *asking]))


def keeping(policies: Iterable[Policy]) -> Keeping:
    """Whether the workload is recorded strictly: as any of these says that is not off."""
    return terms.strictest(policy.terms for policy in policies if policy.terms.mode is not Mode.OFF).record
