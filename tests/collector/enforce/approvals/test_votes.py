from dataclasses import replace

import pytest
from support.approving import ANN, BOB, NOW, ONE, ROOT, TWO, asking, no, yes

from chaperone.collector.enforce.approvals.state import State
from chaperone.collector.enforce.approvals.values import Approval, Person, Vote
from chaperone.collector.enforce.approvals.votes import VoteError, check, counts, met

PENDING = Approval("ab" * 16, asking(), State.PENDING, NOW, NOW + 1)

REFUSED = {
    "is none of this rule's approvers: unix:root, user:ann": (PENDING, yes(BOB)),
    "unix:root makes this request, and can't decide on it": (
        replace(PENDING, asking=replace(PENDING.asking, identities=frozenset({"unix:root"}))),
        yes(),
    ),
    "approval abababababab is expired: there is nothing": (replace(PENDING, state=State.EXPIRED), yes()),
    "approval abababababab is approved: there is nothing": (replace(PENDING, state=State.APPROVED), yes()),
    "unix:root has approved abababababab already": (replace(PENDING, asking=asking(0, TWO), votes=(yes(),)), yes()),
    "a reason is needed, of 1 to 1000 characters": (PENDING, yes(why="  ")),
    "a reason is needed": (PENDING, no(why="x" * 1001)),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_word_that_does_not_count_is_told_why(sentence: str) -> None:
    approval, vote = REFUSED[sentence]
    with pytest.raises(VoteError, match=sentence.replace("(", r"\(")):
        check(approval, vote)


def test_words_that_count() -> None:
    check(PENDING, yes())
    check(PENDING, no(ANN))
    check(replace(PENDING, state=State.APPROVED), no())  # taken back
    check(replace(PENDING, asking=asking(0, TWO), votes=(yes(),)), no())


def test_a_group_counts_by_the_groups_that_were_shown() -> None:
    assert counts(ANN, TWO) and counts(ROOT, TWO)
    assert not counts(Person("user:sre"), TWO) and not counts(Person("group:sre"), TWO)


def test_as_many_different_people_as_every_rule_wants() -> None:
    assert not met((TWO,), [yes(ANN), Vote(ANN, True, NOW + 1, "again")])
    assert not met((TWO,), [yes(ANN), no(BOB)])
    assert met((TWO,), [yes(ANN), yes(BOB)])
    assert not met((ONE, TWO), [yes(BOB), yes(replace(BOB, name="user:cid"))])
    assert met((ONE, TWO), [yes(BOB), yes(ANN)])
