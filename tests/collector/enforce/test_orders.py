"""What becomes of a held request: the strictest rule that acts decides, and people are asked where it says so."""

from dataclasses import replace

import pytest
from support.judged_events import CALL

from chaperone.collector.enforce.orders import Answer, Fate, Orders, Stand, Wanted
from chaperone.collector.rules.event import Event, Subject
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce, Evidence, Moment, Severity, Verdict

STREAM, KEY = "a" * 32, ("a" * 32, 100)
POD = {**CALL, "resource": "pods", "name": "web-0", "isResource": True}


def verdict(action: Action, effective: Enforce = Enforce.ENFORCE) -> Verdict:
    evidence = Evidence("c", STREAM, "")
    return Verdict(action, "no-exec", "agents", Enforce.ENFORCE, Severity.HIGH, (), "not here", Moment.REQUEST, evidence, effective)


def judged(*verdicts: Verdict, subject: Subject = Subject.CALL, document: dict[str, object] = POD) -> Judged:
    return Judged(Event(subject, Moment.REQUEST, CALL["time"], document), verdicts, STREAM, 100, 200)


class Asked:
    """Somebody who answers what he is told to."""

    def __init__(self) -> None:
        self.answer, self.gone = Answer.PENDING, list[Wanted]()

    def asked(self, wanted: Wanted) -> Stand:
        return Stand("approval-1", self.answer, "bob said no")

    def told(self, wanted: Wanted) -> str:
        return "approval pending: approval-1, retry"

    def left(self, wanted: Wanted) -> None:
        self.gone.append(wanted)


def held(*verdicts: Verdict, asked: Asked | None = None) -> Orders:
    orders = Orders(asked)
    orders.hold(STREAM)
    orders.perform(judged(*verdicts))
    return orders


def fate(*verdicts: Verdict) -> Fate:
    decision = held(*verdicts).decision(KEY)
    assert decision is not None
    return decision.fate


def test_what_no_rule_speaks_of_goes_on() -> None:
    assert fate() is fate(verdict(Action.ALERT)) is fate(verdict(Action.DENY, Enforce.OBSERVE)) is fate(verdict(Action.MASK)) is Fate.GO


def test_the_strictest_rule_that_acts_decides() -> None:
    assert fate(verdict(Action.DENY), verdict(Action.KILL)) is Fate.REFUSE
    assert fate(verdict(Action.DENY, Enforce.WARN), verdict(Action.KILL), verdict(Action.ALERT)) is Fate.KILL


def test_the_client_reads_which_rule_forbids_what() -> None:
    decision = held(verdict(Action.DENY)).decision(KEY)
    assert decision is not None and decision.refusal is not None
    assert decision.refusal.message == 'pods "web-0" is forbidden: denied by policy "no-exec": not here'
    assert (decision.refusal.id, decision.refusal.bodiless) == (CALL["id"], False)


@pytest.mark.parametrize(
    ("document", "about"),
    [
        ({**POD, "name": ""}, "pods"),
        ({**POD, "resource": "deployments", "apiGroup": "apps", "name": "x"}, 'deployments.apps "x"'),
        ({"id": "c", "method": "GET"}, "GET"),
    ],
)
def test_what_is_forbidden_is_named_as_the_apiserver_does(document: dict[str, object], about: str) -> None:
    orders = Orders()
    orders.hold(STREAM)
    orders.perform(judged(verdict(Action.DENY), document=document, subject=Subject.EGRESS))
    decision = orders.decision(KEY)
    assert decision and decision.refusal and decision.refusal.message.startswith(f"{about} is forbidden: ")


def test_of_what_a_kill_ends_it_is_known_which_rule_did() -> None:
    decision = held(verdict(Action.KILL)).decision(KEY)
    assert decision and decision.verdict and decision.refusal
    assert (decision.fate, decision.verdict.rule) == (Fate.KILL, "no-exec")
    assert decision.refusal.message == 'pods "web-0" is forbidden: denied by policy "no-exec": not here'


def test_a_refusal_is_no_longer_than_its_template_takes() -> None:
    long = replace(verdict(Action.DENY), message="x" * 5000)
    decision = held(long).decision(KEY)
    assert decision and decision.refusal and len(decision.refusal.message) == 1024


def test_nobody_is_answered_twice_and_what_was_not_judged_has_no_decision() -> None:
    orders = held(verdict(Action.DENY))
    assert orders.decision(KEY) is not None and orders.decision(KEY) is None
    assert orders.decision(("b", 100)) is None


def test_only_requests_on_held_streams_are_remembered() -> None:
    orders = Orders()
    orders.perform(judged(verdict(Action.DENY)))
    assert orders.decision(KEY) is None and not orders.carries_out(Action.DENY, STREAM, Moment.REQUEST)
    orders.hold(STREAM)
    assert orders.carries_out(Action.DENY, STREAM, Moment.REQUEST)
    assert not orders.carries_out(Action.MASK, STREAM, Moment.CHANNEL) and not orders.carries_out(Action.ALERT, STREAM, Moment.REQUEST)


def test_without_anybody_to_ask_what_needs_an_approval_is_refused() -> None:
    decision = held(verdict(Action.APPROVE)).decision(KEY)
    assert decision and decision.fate is Fate.REFUSE and decision.refusal and "nobody can be asked" in decision.refusal.message


def test_an_approval_is_waited_for_and_then_used_once() -> None:
    asked = Asked()
    orders = held(verdict(Action.APPROVE), asked=asked)
    first = orders.decision(KEY)
    assert first and (first.fate, first.approval) == (Fate.WAIT, "approval-1")
    asked.answer = Answer.APPROVED
    second = orders.decision(KEY)
    assert second and second.fate is Fate.GO
    assert orders.decision(KEY) is None


def test_one_that_was_denied_says_why() -> None:
    asked = Asked()
    orders = held(verdict(Action.APPROVE), asked=asked)
    asked.answer = Answer.DENIED
    decision = orders.decision(KEY)
    assert decision and decision.refusal and decision.refusal.message.endswith("bob said no")


def test_who_can_wait_no_longer_is_told_to_come_again() -> None:
    orders = held(verdict(Action.APPROVE), asked=Asked())
    orders.decision(KEY)
    decision = orders.expired(KEY)
    assert decision.refusal and decision.refusal.message.endswith("approval pending: approval-1, retry")
    assert orders.decision(KEY) is None


def test_it_is_said_of_a_client_that_it_has_gone() -> None:
    for leave in (lambda orders: orders.let_go(STREAM), lambda orders: orders.abandoned(KEY)):
        asked = Asked()
        orders = held(verdict(Action.APPROVE), asked=asked)
        orders.decision(KEY)
        leave(orders)
        assert [wanted.judged.position for wanted in asked.gone] == [100]


def test_what_can_be_read_in_two_ways_is_refused_unless_the_policy_allows_it() -> None:
    for is_strict, fate_ in ((True, Fate.REFUSE), (False, Fate.GO)):
        orders = Orders()
        orders.hold(STREAM)
        orders.perform(judged(document={**POD, "ambiguous": ["two lengths"]}))
        decision = orders.decision(KEY, is_strict)
        assert decision and decision.fate is fate_
        assert decision.refusal is None or decision.refusal.message.endswith("it can be read in more than one way: two lengths")
