import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chaperone.collector.ingest.intake import PipelineIntake
from chaperone.collector.ingest.service import Arrival
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, Record


@dataclass(frozen=True)
class Made:
    """A row: the record, the offset that the pipeline was told, and the clock."""

    record: Any
    offset: int
    clock: tuple[Any, ...] = ()


class Rows(list[Any]):
    """A pipeline that makes one row of each record. `open`: streams that have no mark."""

    open: tuple[str, ...] = ()

    def take(self, record: Record, wall_offset: int) -> None:
        self.append(Made(record, wall_offset))

    def marks(self) -> tuple[list[Any], set[str]]:
        return [], set(self.open)


class Kept:
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[Any], str, int]] = []

    def refusal(self) -> str:
        return ""

    async def next_batch(self, agent: str) -> int:
        return 7

    def commit(self, rows: list[Any], agent: str = "", next_batch: int = 0, marks: Sequence[Any] = ()) -> Awaitable[str]:
        self.commits.append((rows, agent, next_batch))
        durable: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        durable.set_result("")
        return durable


def note(text: str) -> Note:
    return Note(SessionId("s"), 1, "x", text)


def through(journal: Kept, work: Callable[[PipelineIntake], Awaitable[Any]]) -> Any:
    rows = Rows()
    intake = PipelineIntake(rows, rows, journal, lambda *clock: clock)
    try:
        return asyncio.run(_awaited(work(intake)))
    finally:
        intake.close()


async def _awaited(found: Awaitable[Any]) -> Any:
    return await found


def test_a_batch_commits_its_rows_and_how_far_its_agent_is() -> None:
    journal = Kept()
    through(journal, lambda intake: intake.take(Arrival("a", 4, 9, lambda: [note("1"), note("2")], boot="b")))
    assert journal.commits == [([Made(note("1"), 9, ("b", 9, 1)), Made(note("2"), 9, ("b", 9, 1))], "a", 5)]


def test_rows_of_one_batch_are_not_in_the_next() -> None:
    journal = Kept()

    async def two(intake: PipelineIntake) -> None:
        await intake.take(Arrival("a", 1, 0, lambda: [note("1")]))
        await intake.take(Arrival("a", 2, 0, lambda: [note("2")]))

    through(journal, two)
    assert [len(rows) for rows, _, _ in journal.commits] == [1, 1]


def test_a_bad_batch_leaves_a_note_and_advances_nobody() -> None:
    journal = Kept()

    def bad() -> list[Record]:
        raise ValueError("no zstd frame")

    with pytest.raises(ValueError, match="no zstd frame"):
        through(journal, lambda intake: intake.take(Arrival("a", 3, 0, bad)))
    [(rows, agent, next_batch)] = journal.commits
    assert rows[0].record.text == "batch 3 was refused: no zstd frame" and not rows[0].record.complete
    assert (agent, next_batch) == ("", 0)


def test_what_the_journal_knows_is_handed_on() -> None:
    assert through(Kept(), lambda intake: intake.next_batch("a")) == 7


def test_an_agent_is_only_advanced_to_what_no_stream_needs_again() -> None:
    journal, rows = Kept(), Rows()
    rows.open = ("s",)

    async def work(intake: PipelineIntake) -> list[int | None]:
        first = await intake.take(Arrival("a", 1, 0, lambda: [note("1")]))
        second = await intake.take(Arrival("a", 2, 0, lambda: [note("2")]))
        return [first.through, second.through, intake.settled("a").through, intake.settled("b").through]

    intake = PipelineIntake(rows, rows, journal, lambda *clock: clock)
    try:
        assert asyncio.run(work(intake)) == [0, 0, 0, None]
    finally:
        intake.close()
    assert [next_batch for _, agent, next_batch in journal.commits if agent] == [1, 1]
