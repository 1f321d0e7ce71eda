from collections.abc import Iterator
from pathlib import Path

import pytest
from support.made_alerts import NOW, SECOND, alert, gathered, slack, to

from chaperone.collector.enforce.alerting import Grouping
from chaperone.collector.enforce.dispatch import REFUSALS, hasten, next_due, next_message, settle
from chaperone.collector.enforce.message import LISTED, Kind, Message
from chaperone.collector.enforce.outbox import FILE, GIVE_UP_NS, Outbox
from chaperone.collector.enforce.outcome import Fate, Outcome
from chaperone.collector.rules.verdict import Severity

CONFIG = to(slack("https://slack.test/"), grouping=Grouping(again_ns=60 * SECOND))
SENT, LATER, REFUSED = (Outcome(fate, "why") for fate in (Fate.SENT, Fate.LATER, Fate.REFUSED))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / FILE)
    yield opened
    opened.close()


def message(outbox: Outbox, now: int, room: int | None = None) -> Message:
    found = next_message(outbox, "slack", room, now)
    assert found
    return found.message


def send(outbox: Outbox, now: int, room: int | None = None) -> Message:
    found = message(outbox, now, room)
    assert settle(outbox, "slack", SENT, now, now)
    return found


def test_the_first_is_told_at_once_and_how_many_more_after_a_pause_that_doubles(outbox: Outbox) -> None:
    outbox.add(gathered(alert(0)), CONFIG, NOW)
    first = send(outbox, NOW)
    assert (first.kind, first.id, first.entries[0].count, first.entries[0].new) == (Kind.FIRST, alert(0).id, 1, 1)
    outbox.add(gathered(*(alert(number) for number in range(1, 101))), CONFIG, NOW + SECOND)
    assert next_message(outbox, "slack", None, NOW + 59 * SECOND) is None
    assert next_due(outbox, "slack") == NOW + 60 * SECOND
    more = send(outbox, NOW + 60 * SECOND)
    assert (more.kind, more.entries[0].count, more.entries[0].new) == (Kind.MORE, 101, 100)
    outbox.add(gathered(alert(200)), CONFIG, NOW + 61 * SECOND)
    assert next_due(outbox, "slack") == NOW + 180 * SECOND
    hasten(outbox, NOW + 62 * SECOND)
    assert send(outbox, NOW + 62 * SECOND).entries[0].new == 1
    assert next_due(outbox, "slack") is None


def test_what_comes_while_a_message_is_under_way_is_told_in_the_next(outbox: Outbox) -> None:
    outbox.add(gathered(alert(0)), CONFIG, NOW)
    first = message(outbox, NOW)
    outbox.add(gathered(alert(1), alert(2)), CONFIG, NOW)
    assert message(outbox, NOW).entries[0].count == first.entries[0].count == 1
    settle(outbox, "slack", SENT, NOW, NOW)
    assert send(outbox, NOW + 60 * SECOND).entries[0].new == 2


def test_a_message_keeps_its_id_and_count_over_tries_and_restarts(outbox: Outbox, tmp_path: Path) -> None:
    outbox.add(gathered(alert(0), alert(1, rule="b"), alert(2, rule="c")), CONFIG, NOW)
    first = message(outbox, NOW, room=1)
    assert (first.kind, len(first.entries)) == (Kind.DIGEST, 3)
    assert not settle(outbox, "slack", LATER, NOW + 5 * SECOND, NOW)
    assert next_message(outbox, "slack", None, NOW + 4 * SECOND) is None
    assert next_due(outbox, "slack") == NOW + 5 * SECOND
    outbox.add(gathered(alert(4, rule="d")), CONFIG, NOW)
    outbox.close()
    again = Outbox(tmp_path / FILE)
    found = next_message(again, "slack", 0, NOW + 5 * SECOND)
    assert found and found.message == first and found.attempts == 1
    assert settle(again, "slack", SENT, 0, NOW)
    assert send(again, NOW + 6 * SECOND).entries[0].alert["rule"] == "d"
    again.close()


def test_the_most_severe_goes_first(outbox: Outbox) -> None:
    wanted = [Severity.LOW, Severity.CRITICAL, Severity.HIGH]
    outbox.add(gathered(*(alert(n, rule=f"r{n}", severity=severity) for n, severity in enumerate(wanted))), CONFIG, NOW)
    assert [send(outbox, NOW, room).entries[0].alert["severity"] for room in (5, 4, 3)] == ["critical", "high", "low"]


def test_with_room_for_one_all_that_wait_come_together(outbox: Outbox) -> None:
    outbox.add(gathered(*(alert(n, rule=f"r{n}") for n in range(LISTED + 10))), CONFIG, NOW)
    assert next_message(outbox, "slack", 0, NOW) is None
    assert send(outbox, NOW, room=2).kind is Kind.FIRST
    digest = send(outbox, NOW, room=1)
    assert (digest.kind, len(digest.entries), digest.omitted) == (Kind.DIGEST, LISTED, 9)
    assert next_due(outbox, "slack") is None


def test_the_next_message_says_how_many_were_dropped_and_only_one_does(outbox: Outbox) -> None:
    few = to(slack("https://slack.test/"), waiting=10)
    outbox.add(gathered(*(alert(n, rule=f"r{n}") for n in range(15))), few, NOW)
    assert message(outbox, NOW).dropped == 5
    outbox.add(gathered(*(alert(n, rule=f"r{n}") for n in range(20, 22))), few, NOW)
    settle(outbox, "slack", SENT, NOW, NOW)
    assert [send(outbox, NOW).dropped for _ in range(2)] == [1, 0]


def test_who_refuses_a_message_gets_the_next_one(outbox: Outbox) -> None:
    outbox.add(gathered(alert(0), alert(1, rule="b")), CONFIG, NOW)
    ends = []
    for _ in range(REFUSALS):
        message(outbox, NOW)
        ends.append(settle(outbox, "slack", REFUSED, NOW, NOW))
    assert ends == [False] * (REFUSALS - 1) + [True]
    assert send(outbox, NOW).entries[0].alert["rule"] == "b"
    assert outbox.rows("SELECT state, why, message FROM deliveries ORDER BY n")[0] == {"state": "failed", "why": "why", "message": ""}


def test_a_message_that_nobody_takes_is_given_up_after_a_day(outbox: Outbox) -> None:
    outbox.add(gathered(alert(0)), CONFIG, NOW)
    message(outbox, NOW)
    assert not settle(outbox, "slack", LATER, NOW, NOW + GIVE_UP_NS)
    assert settle(outbox, "slack", LATER, NOW, NOW + GIVE_UP_NS + 1)
    assert next_due(outbox, "slack") is None


def test_what_came_of_a_message_that_is_not_known_any_more_is_nothing(outbox: Outbox) -> None:
    assert settle(outbox, "slack", SENT, NOW, NOW)


def test_a_clock_that_is_set_back_puts_nothing_off_for_long(outbox: Outbox) -> None:
    outbox.add(gathered(alert(0)), CONFIG, NOW)
    day = 24 * 3600 * SECOND
    assert send(outbox, NOW - day).kind is Kind.FIRST
    outbox.add(gathered(alert(1)), CONFIG, NOW)
    message(outbox, NOW + 60 * SECOND)
    settle(outbox, "slack", LATER, NOW + 120 * SECOND, NOW)
    assert next_message(outbox, "slack", None, NOW + 119 * SECOND) is None
    assert message(outbox, NOW - day).kind is Kind.MORE
