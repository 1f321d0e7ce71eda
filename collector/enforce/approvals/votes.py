"""Whose word counts."""

from collections.abc import Iterable

from chaperone.collector.enforce.approvals.state import OPEN, State
from chaperone.collector.enforce.approvals.values import Approval, Need, Person, Vote

WHY_LIMIT = 1000


class VoteError(ValueError):
    """A word that does not count; one sentence."""


def check(approval: Approval, vote: Vote) -> None:
    """VoteError when this person can't say this now."""
    person, short = vote.person, approval.id[:12]
    if approval.state not in OPEN or (approval.state is State.APPROVED and vote.approves):
        raise VoteError(f"approval {short} is {approval.state}: there is nothing to decide")
    if person.name in approval.asking.identities:
        raise VoteError(f"{person.name} makes this request, and can't decide on it")
    if not any(counts(person, need) for need in approval.asking.needs):
        wanted = sorted({name for need in approval.asking.needs for name in need.approvers})
        raise VoteError(f"{person.name} is none of this rule's approvers: {', '.join(wanted)}")
    if vote.approves and any(one.approves and one.person.name == person.name for one in approval.votes):
        raise VoteError(f"{person.name} has approved {short} already; it wants somebody else besides")
    if not vote.why.strip() or len(vote.why) > WHY_LIMIT:
        raise VoteError(f"a reason is needed, of 1 to {WHY_LIMIT} characters")


def counts(person: Person, need: Need) -> bool:
    """Is this person one of a rule's approvers?"""
    is_named = person.name in need.approvers and not person.name.startswith("group:")
    return is_named or any(f"group:{group}" in need.approvers for group in person.groups)


def met(needs: Iterable[Need], votes: Iterable[Vote]) -> bool:
    """Have enough different people approved, for every rule?"""
    people = {vote.person.name: vote.person for vote in votes if vote.approves}.values()
    return all(sum(counts(person, need) for person in people) >= need.approvals for need in needs)
