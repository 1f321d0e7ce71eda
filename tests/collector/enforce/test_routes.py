import pytest
from support.made_alerts import alert

from chaperone.collector.enforce.alerting import Alerting, Grouping, Route
from chaperone.collector.enforce.routes import fits, likeness, receivers_of
from chaperone.collector.rules.verdict import Severity

LABELS = {"labels": {"team": "payments"}}


@pytest.mark.parametrize(
    ("route", "does"),
    [
        (Route(("a",)), True),
        (Route(("a",), Severity.HIGH), True),
        (Route(("a",), Severity.CRITICAL), False),
        (Route(("a",), policies=("agents",)), True),
        (Route(("a",), policies=("other", "ag*")), True),
        (Route(("a",), policies=("other",)), False),
        (Route(("a",), rules=("sur*",)), True),
        (Route(("a",), rules=("SURGE",)), False),
        (Route(("a",), labels={"team": "pay*"}), True),
        (Route(("a",), labels={"team": "pay*", "tier": "1"}), False),
    ],
)
def test_a_route_takes_what_fits_all_of_it(route: Route, does: bool) -> None:
    assert fits(route, alert(session=LABELS)) is does


def test_each_receiver_of_any_fitting_route_once() -> None:
    routes = (Route(("a", "b")), Route(("b", "c")), Route(("d",), Severity.CRITICAL))
    assert receivers_of(Alerting(routes=routes), alert()) == ["a", "b", "c"]


def test_alike_are_those_equal_in_what_grouping_names() -> None:
    by_rule = Grouping(by=("rule",))
    assert likeness(by_rule, alert(1)) == likeness(by_rule, alert(2, session={"workload": "x"}))
    assert likeness(by_rule, alert(1)) != likeness(by_rule, alert(1, rule="x"))
    assert likeness(Grouping(by=("workload",)), alert(1)) != likeness(Grouping(by=("workload",)), alert(1, session={"workload": "x"}))


def test_by_default_sessions_of_one_account_are_alike_and_other_accounts_are_not() -> None:
    known = {"lookedUp": {"serviceAccount": "agents:coder"}, "user": "x"}
    same = likeness(Grouping(), alert(1, session={"id": "1" * 32, **known}))
    assert same == likeness(Grouping(), alert(2, session={"id": "2" * 32, **known, "workload": "another pod"}))
    assert same != likeness(Grouping(), alert(3, session={"id": "3" * 32, "lookedUp": {"serviceAccount": "agents:other"}}))
    ann, bob = (likeness(Grouping(), alert(1, session={"user": name})) for name in ("ann", "bob"))
    assert len({same, ann, bob}) == 3
    assert likeness(Grouping(), alert(1)) == likeness(Grouping(), alert(2, user="somebody claimed"))
