"""Numbers about what went through."""

from typing import Any

import pytest

from chaperone.collector.enforce.counters import Count, Event
from chaperone.collector.pipeline.tally import HELD, TalliedJournal, TalliedPipeline, Tally, alert_family, lag_family, troubles_family
from chaperone.collector.serve.metrics import Family
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction, Hold, Loss, Outcome

STREAM = StreamId("57" * 16)
MS = 1_000_000


def numbers(tally: Tally, name: str) -> dict[tuple[str, ...], float]:
    return {sample.labels: sample.value for family in tally.families() if family.name == name for sample in family.samples}


def row(kind: Kind, **document: Any) -> Row:
    return Row(kind, "s", "i", 0, 0, 0, document)


def test_bytes_are_counted_by_direction_and_losses_by_cause() -> None:
    tally = Tally()
    for record in (
        Chunk(STREAM, Direction.OUT, 0, b"abc", 1),
        Chunk(STREAM, Direction.IN, 0, b"ab", 1),
        Loss(STREAM, Direction.IN, 2, 7, 1, "ring-full"),
    ):
        tally.record(record)
    assert numbers(tally, "captured_bytes") == {("in",): 2, ("out",): 3}
    assert numbers(tally, "lost_bytes") == {("ring-full",): 7}


def test_rows_verdicts_and_uncovered_connections_are_counted_once() -> None:
    tally = Tally()
    verdict = {"rule": "no-exec", "action": "deny", "notCarriedOut": "nobody did"}
    tally.rows([row(Kind.VERDICT, **verdict), row(Kind.CONNECTION, unread="rustls"), row(Kind.CONNECTION, unread="rustls", ended="t")])
    assert numbers(tally, "verdicts") == {("no-exec", "deny", "false"): 1}
    assert numbers(tally, "uncovered_connections") == {("rustls",): 1}
    assert numbers(tally, "stored_rows") == {("connection",): 2, ("verdict",): 1}


def test_a_session_is_counted_once_when_the_first_row_says_that_it_is_not_whole() -> None:
    tally = Tally()
    tally.rows([row(Kind.CALL, complete=False), row(Kind.NOTE, complete=True), row(Kind.LOSS, complete=True)])
    assert numbers(tally, "incomplete_sessions") == {}, "a call that goes on may become whole"
    tally.rows([row(Kind.LOSS, complete=False), row(Kind.NOTE, complete=False), row(Kind.LOSS, complete=False)])
    tally.rows([Row(Kind.CALL, "another", "i", 4, 0, 0, {"complete": False}), Row(Kind.NOTE, "", "i", 1, 0, 0, {"complete": False})])
    assert numbers(tally, "incomplete_sessions") == {("loss",): 1, ("call",): 1}


def test_sessions_that_are_not_whole_are_remembered_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaperone.collector.pipeline.tally.FLAWED", 2)
    tally = Tally()
    for session in ("a", "b", "a", "c", "a"):
        tally.rows([Row(Kind.NOTE, session, "i", 1, 0, 0, {"complete": False})])
    assert numbers(tally, "incomplete_sessions") == {("note",): 3} and len(tally._flawed) == 2


def test_decisions_are_a_cumulative_histogram() -> None:
    tally = Tally()
    for name, took in (("a", MS), ("b", 3 * MS), ("c", 20_000 * MS)):
        tally.record(Hold(name, STREAM, Direction.OUT, 0, 1, 5))
        tally.record(Outcome(name, "pass", 5 + took))
    tally.record(Outcome("unknown", "pass", 5))
    (family,) = [family for family in tally.families() if family.name == "decision_seconds"]
    found = {sample.labels[0]: sample.value for sample in family.samples}
    assert (found["0.0005"], found["0.001"], found["0.005"], found["10"], found["+Inf"]) == (0, 1, 2, 2, 3)
    assert family.whole == 20.004
    assert numbers(tally, "holds") == {("pass", ""): 4}


def test_holds_without_an_end_are_forgotten_at_last() -> None:
    tally = Tally()
    for number in range(HELD + 5):
        tally.record(Hold(str(number), STREAM, Direction.OUT, 0, 1, 5))
    assert len(tally._held) == HELD


class End:
    """A pipeline and a journal that keep what they are given."""

    deadline = 9

    def __init__(self) -> None:
        self.took: list[Any] = []

    def take(self, record: Any, wall_offset: int, agent: str) -> None:
        self.took.append((record, wall_offset, agent))

    def orders(self) -> list[Any]:
        return ["order"]

    def look_again(self, agent: str) -> list[Any]:
        return ["later"]

    def marks(self) -> tuple[list[Any], list[str]]:
        return ["mark"], ["none"]

    def refusal(self) -> str:
        return "full"

    async def next_batch(self, agent: str) -> int:
        return 1

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Any = ()) -> Any:
        self.took.append((rows, agent, next_batch, marks))
        return "ticket"


def test_what_is_counted_goes_on_as_it_came() -> None:
    end, tally = End(), Tally()
    chunk, rows = Chunk(STREAM, Direction.OUT, 0, b"abc", 1), [row(Kind.NOTE)]
    pipeline, journal = TalliedPipeline(end, tally), TalliedJournal(end, tally)
    pipeline.take(chunk, 7, "agent")
    assert (pipeline.orders(), pipeline.look_again("agent"), pipeline.deadline) == (["order"], ["later"], 9)
    assert pipeline.marks() == (["mark"], ["none"])
    assert journal.commit(rows, "agent", 3, ["m"]) == "ticket"
    assert journal.refusal() == "full"
    assert end.took == [(chunk, 7, "agent"), (rows, "agent", 3, ["m"])]


def test_alerts_and_troubles_are_families() -> None:
    alerts: Family = alert_family([Count("slack", Event.SENT, 3)])
    assert [(sample.labels, sample.value) for sample in alerts.samples] == [(("slack", "sent"), 3)]
    assert [sample.value for sample in lag_family(2.5).samples] == [2.5]
    assert [sample.value for sample in troubles_family({"store": "", "alerts": "no disk"}).samples] == [0.0, 1.0]
