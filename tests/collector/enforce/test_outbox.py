import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.made_alerts import NOW, SECOND, alert, gathered, slack, to, webhook

from chaperone.collector.enforce.alerting import NOBODY, Alerting, Grouping
from chaperone.collector.enforce.outbox import FILE, GIVE_UP_NS, LAYOUT, Outbox, OutboxError
from chaperone.collector.rules.verdict import Severity

BOTH = to(slack("https://slack.test/"), webhook("https://hook.test/"))
ONE = to(slack("https://slack.test/"))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / FILE)
    yield opened
    opened.close()


def counts(outbox: Outbox) -> list[tuple[str, int]]:
    return [(row["rule"], row["count"]) for row in outbox.rows("SELECT rule, count FROM alerts ORDER BY n")]


def states(outbox: Outbox) -> list[str]:
    return [row["state"] for row in outbox.rows("SELECT state FROM deliveries ORDER BY n, receiver")]


def test_alike_alerts_are_one_row_that_waits_for_each_receiver(outbox: Outbox) -> None:
    outbox.add(gathered(*(alert(number) for number in range(2_000))), BOTH, NOW)
    assert counts(outbox) == [("surge", 2_000)]
    assert states(outbox) == ["waiting", "waiting"]
    outbox.add(gathered(alert(2_000), alert(1, rule="other")), BOTH, NOW + SECOND)
    assert counts(outbox) == [("surge", 2_001), ("other", 1)]


def test_an_alert_that_is_made_again_counts_once_also_after_a_restart(tmp_path: Path) -> None:
    for _ in range(3):
        outbox = Outbox(tmp_path / FILE)
        outbox.add(gathered(*(alert(number) for number in range(5))), ONE, NOW)
        outbox.close()
    again = Outbox(tmp_path / FILE)
    assert (counts(again), states(again)) == ([("surge", 5)], ["waiting"])
    again.close()


def test_after_quiet_the_next_is_a_first_again_with_an_id_of_its_own(outbox: Outbox) -> None:
    config = to(slack("https://slack.test/"), grouping=Grouping(quiet_ns=10 * SECOND))
    outbox.add(gathered(alert(1)), config, NOW)
    outbox.add(gathered(alert(2)), config, NOW + 9 * SECOND)
    outbox.add(gathered(alert(1), alert(3)), config, NOW + 30 * SECOND)
    assert counts(outbox) == [("surge", 2), ("surge", 1)]
    assert outbox.rows("SELECT id FROM alerts ORDER BY n")[1]["id"] == alert(3).id


def test_over_the_limit_the_least_severe_and_oldest_are_dropped_and_counted(outbox: Outbox) -> None:
    config = to(slack("https://slack.test/"), waiting=3)
    alerts = [alert(1, rule="a"), alert(2, rule="low1", severity=Severity.LOW), alert(3, rule="low2", severity=Severity.LOW)]
    assert outbox.add(gathered(*alerts), config, NOW) == {"slack": 0}
    assert outbox.add(gathered(alert(4, rule="b"), alert(5, rule="low3", severity=Severity.LOW)), config, NOW) == {"slack": 2}
    found = outbox.rows("SELECT rule, state FROM deliveries JOIN alerts USING (n) ORDER BY n")
    assert [row["rule"] for row in found if row["state"] == "dropped"] == ["low1", "low2"]
    assert outbox.rows("SELECT * FROM dropped") == [{"receiver": "slack", "count": 2}]
    assert len(counts(outbox)) == 5


def test_it_keeps_no_more_than_it_may_and_lets_go_of_what_nobody_waits_for_first(outbox: Outbox) -> None:
    outbox.add(gathered(*(alert(number, rule=f"told{number}") for number in range(5))), ONE, NOW)
    outbox.run("UPDATE deliveries SET state = 'told', told = 1 WHERE n > 2", {})
    outbox.add(gathered(*(alert(number, rule=f"new{number}") for number in range(5, 10))), to(slack("https://x.test/"), keep=7), NOW)
    assert [rule for rule, _ in counts(outbox)] == ["told0", "told1", *(f"new{number}" for number in range(5, 10))]
    outbox.add(gathered(alert(11, rule="last")), to(slack("https://x.test/"), keep=3), NOW)
    assert [rule for rule, _ in counts(outbox)] == ["new8", "new9", "last"]
    assert outbox.rows("SELECT count FROM dropped") == [{"count": 5}]
    assert len(states(outbox)) == 3


def test_what_nobody_took_for_a_day_is_given_up(outbox: Outbox) -> None:
    outbox.add(gathered(alert(1)), ONE, NOW)
    outbox.add(gathered(alert(2, rule="x")), ONE, NOW + GIVE_UP_NS + 1)
    assert states(outbox) == ["failed", "waiting"]


def test_without_receivers_alerts_are_kept_all_the_same(outbox: Outbox) -> None:
    outbox.add(gathered(alert(1)), NOBODY, NOW)
    assert (counts(outbox), states(outbox)) == ([("surge", 1)], [])


def test_a_change_is_whole_or_not_at_all(outbox: Outbox) -> None:
    with pytest.raises(AttributeError):
        outbox.add({**gathered(alert(1)), "bad": None}, Alerting(), NOW)  # type: ignore[dict-item]
    assert (counts(outbox), outbox.rows("SELECT * FROM members")) == ([], [])


def test_it_is_the_owners_and_of_a_known_layout(tmp_path: Path) -> None:
    Outbox(tmp_path / FILE).close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    base = sqlite3.connect(tmp_path / FILE)
    base.execute(f"PRAGMA user_version = {LAYOUT + 1}")
    base.close()
    with pytest.raises(OutboxError, match="use the version that made it"):
        Outbox(tmp_path / FILE)


def test_settings_are_remembered(outbox: Outbox) -> None:
    assert outbox.setting("x") == ""
    outbox.remember("x", "1")
    outbox.remember("x", "2")
    assert outbox.setting("x") == "2"
