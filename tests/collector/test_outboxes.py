"""Three outboxes asked as one: two are real, of one of which another collector speaks; the third is silent."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.made_alerts import NOW, SECOND, alert, gathered, slack, to

from chaperone.collector.enforce import questions
from chaperone.collector.enforce.outbox import FILE, Outbox
from chaperone.collector.outboxes import Outboxes
from chaperone.collector.serve import query
from chaperone.collector.serve.peers import Heard, Peers

Rows = list[dict[str, Any]]
CONFIG = to(slack("https://slack.test/"))
OURS, BOTH, THEIRS = alert(1, rule="ours"), alert(2, rule="both"), alert(3, rule="theirs")
GONE = "collector c:1 did not answer (unavailable): its alerts are missing"


class Answering:
    """An outbox, and what else a collector says of alerts."""

    def __init__(self, path: Path) -> None:
        self.outbox = Outbox(path)

    async def ask(self, name: str, parameters: str) -> Rows:
        if name == "alerts.list" or name == "alerts.ack":
            return questions.ask(self.outbox, name, parameters, NOW + 9 * SECOND)
        return [{"receiver": "oncall", "asked": name}]


class Others(Peers):
    """b answers, c does not."""

    def __init__(self, other: Answering) -> None:
        super().__init__(("a:1", "b:1", "c:1"), "a:1")
        object.__setattr__(self, "other", other)

    async def ask_each(self, question: str, parameters: Mapping[str, dict[str, Any]], patience_s: float = 5.0) -> Heard:
        other: Answering = getattr(self, "other")  # noqa: B009
        rows = {"b:1": await other.ask(question, json.dumps(parameters["b:1"]))} if "b:1" in parameters else {}
        return Heard(rows, (GONE,) if "c:1" in parameters else ())


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Answering, Answering]]:
    """BOTH was judged again after its first collector's death."""
    found = Answering(tmp_path / f"a-{FILE}"), Answering(tmp_path / f"b-{FILE}")
    add(found[0], OURS, BOTH, at=0)
    add(found[1], THEIRS, at=1)
    add(found[1], BOTH, at=2)
    yield found
    for one in found:
        one.outbox.close()


def add(to_: Answering, *alerts: Any, at: int) -> None:
    to_.outbox.add(gathered(*alerts), CONFIG, NOW + at * SECOND)


def asked(two: tuple[Answering, Answering], name: str, missing: list[str] | None = None, **given: Any) -> Rows:
    async def ask() -> Rows:
        query._MISSING.set(missing if missing is not None else [])
        return await Outboxes(Others(two[1]), two[0].ask).ask(name, json.dumps(given))

    return asyncio.run(ask())


def test_alerts_of_all_are_listed_each_once_and_who_is_silent_is_named(two: tuple[Answering, Answering]) -> None:
    missing: list[str] = []
    found = asked(two, "alerts.list", missing, rule=None)
    assert [(row["rule"], row["count"]) for row in found] == [("ours", 1), ("both", 2), ("theirs", 1)] and missing == [GONE]
    assert [one["collector"] for one in found[1]["deliveries"]] == ["a:1", "b:1"]
    assert (found[1]["first"][:19], found[1]["last"][:19]) == ("2027-01-15T08:00:00", "2027-01-15T08:00:02")
    assert [row["rule"] for row in asked(two, "alerts.list", limit=2)] == ["both", "theirs"]


def test_whoever_follows_misses_nothing_of_any(two: tuple[Answering, Answering]) -> None:
    cursor = asked(two, "alerts.list")[0]["cursor"]
    assert asked(two, "alerts.list", after=cursor) == []
    add(two[1], alert(4, rule="theirs"), at=3)
    [news] = asked(two, "alerts.list", after=cursor)
    assert (news["rule"], news["count"]) == ("theirs", 2)
    add(two[0], alert(5, rule="ours"), at=4)
    assert [row["rule"] for row in asked(two, "alerts.list", after=news["cursor"])] == ["ours"]
    assert {row["rule"] for row in asked(two, "alerts.list", after=0)} == {"ours", "both", "theirs"}, "where nothing was listed yet"


@pytest.mark.parametrize("after", ["x", "[]", "5", '{"a:1": "x"}'])
def test_what_is_no_cursor_is_refused(two: tuple[Answering, Answering], after: str) -> None:
    with pytest.raises(ValueError, match=r"after must be|expected a whole number"):
        asked(two, "alerts.list", after=after)


def test_an_alert_is_acknowledged_where_it_is(two: tuple[Answering, Answering]) -> None:
    assert [row["rule"] for row in asked(two, "alerts.ack", ids=[THEIRS.id[:12], BOTH.id])] == ["both", "theirs"]
    assert [(row["rule"], bool(row["acked"])) for row in asked(two, "alerts.list")] == [("ours", False), ("both", True), ("theirs", True)]
    asked(two, "alerts.ack", all=True)
    assert all(row["acked"] for row in asked(two, "alerts.list"))


def test_one_that_not_all_have_acknowledged_is_not(two: tuple[Answering, Answering]) -> None:
    questions.ask(two[1].outbox, "alerts.ack", json.dumps({"ids": [BOTH.id]}), NOW)
    assert [row["acked"] for row in asked(two, "alerts.list", id=BOTH.id)] == [None]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ids": ["zz"]}, "no alert has an id that begins with 'zz'"),
        ({"ids": [""]}, "several alerts have ids that begin with ''"),
        ({"ids": [5]}, "expected a text"),
        ({}, "expected ids"),
    ],
)
def test_where_it_is_not_certain_which_is_meant_none_is_acknowledged(
    two: tuple[Answering, Answering], given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        asked(two, "alerts.ack", **given)
    assert not any(row["acked"] for row in asked(two, "alerts.list"))


def test_receivers_are_those_of_each_and_what_is_no_question_of_all_is_ours(two: tuple[Answering, Answering]) -> None:
    for name in ("alerts.status", "alerts.test"):
        found = asked(two, name)
        assert [(one["collector"], one["asked"]) for one in found] == [("a:1", name), ("b:1", name)]
    assert asked(two, "alerts.use", file="x") == [{"receiver": "oncall", "asked": "alerts.use"}]


def test_one_collector_answers_as_it_is(two: tuple[Answering, Answering]) -> None:
    ask: Callable[[str, str], Any] = Outboxes(Peers(), two[0].ask).ask
    assert asyncio.run(ask("alerts.list", "{}")) == asyncio.run(two[0].ask("alerts.list", "{}"))
