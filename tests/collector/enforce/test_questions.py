import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.made_alerts import NOW, SECOND, alert, gathered, slack, to

from chaperone.collector.enforce import questions
from chaperone.collector.enforce.dispatch import next_message, settle
from chaperone.collector.enforce.outbox import FILE, Outbox
from chaperone.collector.enforce.outcome import Fate, Outcome
from chaperone.collector.rules.verdict import Severity
from chaperone.collector.times import rfc3339

CONFIG = to(slack("https://slack.test/"))
LOW = alert(1, rule="low", severity=Severity.LOW)
HIGH = alert(2, rule="high")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / FILE)
    opened.add(gathered(LOW), CONFIG, NOW)
    opened.add(gathered(HIGH, alert(3, rule="high")), CONFIG, NOW + SECOND)
    yield opened
    opened.close()


def ask(outbox: Outbox, name: str, **given: Any) -> list[dict[str, Any]]:
    return questions.ask(outbox, name, json.dumps(given), NOW + 2 * SECOND)


def rules(found: list[dict[str, Any]]) -> list[str]:
    return [row["rule"] for row in found]


def test_alerts_come_oldest_first_with_their_count_and_deliveries(outbox: Outbox) -> None:
    found = ask(outbox, "alerts.list")
    assert rules(found) == ["low", "high"]
    assert (found[1]["count"], found[1]["first"], found[1]["acked"], found[1]["latest"]["call"]) == (
        2,
        rfc3339(NOW + SECOND),
        None,
        f"{3:032x}",
    )
    assert found[1]["deliveries"] == [{"receiver": "slack", "state": "waiting", "told": 0, "why": ""}]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"severity": "high"}, ["high"]),
        ({"rule": "low"}, ["low"]),
        ({"policy": "agents"}, ["low", "high"]),
        ({"policy": "x"}, []),
        ({"session": "55"}, ["low", "high"]),
        ({"session": "%"}, []),
        ({"id": HIGH.id[:12]}, ["high"]),
        ({"since": rfc3339(NOW + SECOND)}, ["high"]),
        ({"limit": 1}, ["high"]),
        ({"limit": None}, ["low", "high"]),
        ({"unacked": True}, ["low", "high"]),
    ],
)
def test_they_can_be_filtered(outbox: Outbox, given: dict[str, Any], wanted: list[str]) -> None:
    assert rules(ask(outbox, "alerts.list", **given)) == wanted


def test_to_follow_ask_for_what_changed(outbox: Outbox) -> None:
    cursor = max(row["cursor"] for row in ask(outbox, "alerts.list"))
    assert ask(outbox, "alerts.list", after=cursor) == []
    outbox.add(gathered(alert(4, rule="low", severity=Severity.LOW)), CONFIG, NOW + SECOND)
    [found] = ask(outbox, "alerts.list", after=cursor)
    assert (found["rule"], found["count"]) == ("low", 2)


def test_what_is_acknowledged_is_not_told_again_until_it_was_quiet(outbox: Outbox) -> None:
    for _ in range(2):
        next_message(outbox, "slack", None, NOW + SECOND)
        settle(outbox, "slack", Outcome(Fate.SENT, ""), 0, NOW + SECOND)
    outbox.add(gathered(alert(5, rule="high")), CONFIG, NOW + SECOND)
    [found] = ask(outbox, "alerts.ack", ids=[HIGH.id[:10]])
    assert (found["rule"], found["acked"]) == ("high", rfc3339(NOW + 2 * SECOND))
    outbox.add(gathered(alert(6, rule="high")), CONFIG, NOW + SECOND)
    assert next_message(outbox, "slack", None, NOW + 10_000 * SECOND) is None
    assert rules(ask(outbox, "alerts.list", unacked=True)) == ["low"]
    assert rules(ask(outbox, "alerts.ack", all=True)) == ["low"]
    outbox.add(gathered(alert(7, rule="high")), CONFIG, NOW + 10_000 * SECOND)
    assert next_message(outbox, "slack", None, NOW + 10_000 * SECOND)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("alerts.none", {}),
        ("alerts.list", {"x": 1}),
        ("alerts.list", {"severity": "bad"}),
        ("alerts.list", {"since": "yesterday"}),
        ("alerts.list", {"rule": 1}),
        ("alerts.list", {"limit": 10**9}),
        ("alerts.list", {"after": True}),
        ("alerts.ack", {}),
        ("alerts.ack", {"ids": ["ffff"]}),
        ("alerts.ack", {"ids": [""]}),
        ("alerts.ack", {"all": "yes"}),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(outbox: Outbox, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        ask(outbox, name, **given)
    with pytest.raises(ValueError, match="JSON"):
        questions.ask(outbox, "alerts.list", "[", NOW)
