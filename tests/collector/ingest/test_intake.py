import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chaperone.collector.ingest.intake import SHORT, PipelineIntake
from chaperone.collector.ingest.service import Arrival, Greeting, Standing
from chaperone.proto import capture_pb2 as pb
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

    deadline = 0
    told: tuple[tuple[str, pb.Downward], ...] = ()

    def take(self, record: Record, wall_offset: int, agent: str) -> None:
        self.append(Made(record, wall_offset))

    def orders(self) -> list[tuple[str, pb.Downward]]:
        return list(self.told)

    def look_again(self, agent: str) -> list[tuple[str, pb.Downward]]:
        self.append(Made(f"looked again for {agent}", 0))
        self.deadline = 0
        return list(self.told)

    def marks(self) -> tuple[list[Any], set[str]]:
        return [], set(self.open)


class Slow(Rows):
    """Makes no marks until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def marks(self) -> tuple[list[Any], set[str]]:
        assert self.may.wait(30)
        return super().marks()


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


class Placed(Rows):
    """Remembers in which thread it was asked."""

    def take(self, record: Record, wall_offset: int, agent: str) -> None:
        self.append(Made(threading.current_thread() is threading.main_thread(), wall_offset))


@pytest.mark.parametrize(("looks_up", "size", "is_here"), [(False, SHORT, True), (False, SHORT + 1, False), (True, 1, False)])
def test_what_is_short_and_waits_for_nobody_changes_no_thread(looks_up: bool, size: int, is_here: bool) -> None:
    rows, journal = Placed(), Kept()
    intake = PipelineIntake(rows, rows, journal, lambda *clock: clock)
    intake.looks_up = looks_up
    try:
        asyncio.run(_awaited(intake.take(Arrival("a", 4, 9, lambda: [note("1")], size))))
    finally:
        intake.close()
    assert [row.record for rows, *_ in journal.commits for row in rows] == [is_here]


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
    assert through(Kept(), lambda intake: intake.greet(Greeting("a", "boot"))) == Standing(7)


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


ORDER = pb.Downward(order=pb.Order(hold="h"))


def test_what_agents_are_told_of_a_batch_goes_out_at_once() -> None:
    journal, rows = Kept(), Rows()
    rows.told = (("a", ORDER), ("b", ORDER))

    async def work(intake: PipelineIntake) -> None:
        with intake.outgoing.line("a") as line:
            await intake.take(Arrival("a", 1, 0, lambda: [note("1")]))
            line.put(None)
            assert [await asyncio.wait_for(line.get(), 5) for _ in range(2)] == [ORDER, None]

    run(rows, journal, work)


def test_what_agents_are_told_does_not_wait_for_the_rest_of_the_work() -> None:
    journal, rows = Kept(), Slow()
    rows.told = (("a", ORDER),)

    async def work(intake: PipelineIntake) -> None:
        with intake.outgoing.line("a") as line:
            taking = asyncio.ensure_future(intake.take(Arrival("a", 1, 0, lambda: [note("1")])))
            assert await asyncio.wait_for(line.get(), 30) == ORDER
            assert not journal.commits, "its marks are not made yet"
            rows.may.set()
            await taking

    run(rows, journal, work)
    assert [agent for _, agent, _ in journal.commits] == ["a"]


def test_batches_do_not_mix_while_one_is_half_done() -> None:
    journal, rows = Kept(), Slow()
    rows.told = (("nobody", ORDER),)

    async def work(intake: PipelineIntake) -> None:
        both = [asyncio.ensure_future(intake.take(Arrival(agent, 1, 0, lambda: [note("1")]))) for agent in ("a", "b")]
        await asyncio.sleep(0.05)
        rows.may.set()
        await asyncio.gather(*both)

    run(rows, journal, work)
    assert [(len(rows), agent) for rows, agent, _ in journal.commits] == [(1, "a"), (1, "b")]


def test_who_hangs_up_meanwhile_loses_nothing() -> None:
    journal, rows = Kept(), Slow()

    async def work(intake: PipelineIntake) -> None:
        taking = asyncio.ensure_future(intake.take(Arrival("a", 1, 0, lambda: [note("1")])))
        while not rows:
            await asyncio.sleep(0.01)
        taking.cancel()
        rows.may.set()
        await intake.take(Arrival("a", 2, 0, lambda: [note("2")]))

    run(rows, journal, work)
    assert [next_batch for _, _, next_batch in journal.commits] == [2, 3]


def test_who_waits_is_looked_at_again_when_somebody_decided_and_at_the_deadline() -> None:
    journal, rows = Kept(), Rows()

    async def work(intake: PipelineIntake) -> None:
        await intake.take(Arrival("a", 1, 0, lambda: [note("1")]))
        rows.deadline = time.monotonic_ns() + 50_000_000
        rows.told = (("a", ORDER),)
        with intake.outgoing.line("a") as line:
            await intake.take(Arrival("a", 2, 0, list))
            assert await asyncio.wait_for(line.get(), 5) == ORDER
            assert await asyncio.wait_for(line.get(), 5) == ORDER, "the deadline has come"
            assert rows.deadline == 0
            await intake.look_again()
            assert await asyncio.wait_for(line.get(), 5) == ORDER

    run(rows, journal, work)
    looked = [row.record for rows, _, _ in journal.commits for row in rows if isinstance(row.record, str)]
    assert looked == ["looked again for a", "looked again for a"]


def run(rows: Rows, journal: Kept, work: Callable[[PipelineIntake], Awaitable[None]]) -> None:
    intake = PipelineIntake(rows, rows, journal, lambda *clock: clock)
    try:
        asyncio.run(_awaited(work(intake)))
    finally:
        intake.close()


class Elsewhere:
    """Another collector had the agent before it called for the third time."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def greet(self, agent: str, call: int, step: int) -> Standing:
        return Standing(4, is_taken_over=call == 3)

    async def inherit(self, agent: str, boot: str) -> Callable[[], None]:
        self.done.append(f"read {agent} of {boot}")
        return lambda: self.done.append("went on")


def test_an_agent_that_another_collector_had_is_taken_over_from_the_store() -> None:
    elsewhere, journal = Elsewhere(), Kept()

    async def greeted(intake: PipelineIntake) -> list[Standing]:
        intake.succession = elsewhere
        await intake.take(Arrival("a", 1, 0, lambda: [note("1")]))
        return [await intake.greet(Greeting("a", "boot", call)) for call in (2, 3)]

    assert through(journal, greeted) == [Standing(4), Standing(4, is_taken_over=True)]
    assert elsewhere.done == ["read a of boot", "went on"]
    assert [agent for _, agent, _ in journal.commits] == ["a", "", ""]
