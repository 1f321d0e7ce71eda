"""What waits until it is known whose it is."""

from support.outboxes import waiting

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.undecided import Undecided
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    Cause,
    Chunk,
    Direction,
    Hold,
    Loss,
    Note,
    Outcome,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionStarted,
    StreamClosed,
    StreamOpened,
)

ONE, TWO = SessionId("one"), SessionId("two")


def sent(outbox: Outbox) -> list[Record]:
    outbox.flush()
    return waiting(outbox)


def started(session: SessionId) -> SessionStarted:
    return SessionStarted(session, "w", 1)


def talk(session: SessionId, size: int = 10, chunks: int = 1) -> list[Record]:
    process, stream = ProcessId(f"p-{session}"), StreamId(f"s-{session}")
    data = [Chunk(stream, Direction.OUT, at * size, b"x" * size, 3) for at in range(chunks)]
    return [ProcessSeen(process, session, 1, 7), StreamOpened(stream, process, session, 2, "go"), *data, StreamClosed(stream, 4)]


def test_it_comes_in_order_behind_its_beginning() -> None:
    outbox = Outbox(Limits())
    undecided = Undecided(outbox)
    undecided.keep(started(ONE))
    said = talk(ONE)
    assert [undecided.put(record) for record in said] == said
    assert sent(outbox) == []
    undecided.begin(ONE, [started(ONE)])
    over = ProcessEnded(ProcessId("p-one"), 9)
    undecided.put(over)
    assert sent(outbox) == [started(ONE), *said, over]


def test_what_is_dropped_is_seen_by_nobody_nor_what_comes_behind() -> None:
    outbox = Outbox(Limits())
    undecided = Undecided(outbox)
    undecided.keep(started(ONE))
    for record in talk(ONE)[:-1]:
        undecided.put(record)
    undecided.drop(ONE)
    undecided.put(Note(ONE, 5, "x", "y"))
    undecided.put(Note(TWO, 5, "x", "of another, which nobody asked to keep"))
    assert [record.session for record in sent(outbox) if isinstance(record, Note)] == [TWO]
    assert undecided._size == 0


def test_only_more_than_processes_is_something_to_say() -> None:
    undecided = Undecided(Outbox(Limits()))
    undecided.keep(started(ONE))
    process, opened, *_ = talk(ONE)
    undecided.put(process)
    undecided.put(Note(ONE, 5, "glass", "all sessions are told so, also that of a pod's pause container"))
    assert not undecided.has_spoken(ONE)
    undecided.put(opened)
    assert undecided.has_spoken(ONE) and not undecided.has_spoken(TWO)


def test_what_is_missing_is_something_to_say() -> None:
    undecided = Undecided(Outbox(Limits()))
    undecided.keep(started(ONE))
    undecided.put(Note(ONE, 5, "kernel", "2 TLS calls had begun before the probes were in place", complete=False))
    assert undecided.has_spoken(ONE)


def test_payload_beyond_the_limit_is_lost_and_said() -> None:
    outbox = Outbox(Limits())
    undecided = Undecided(outbox, limit=100_000)
    undecided.keep(started(ONE))
    said = talk(ONE, 10_000, 20)
    kept = [undecided.put(record) for record in said]
    lost = [record for record in kept if isinstance(record, Loss)]
    assert lost and all(record.cause == Cause.MEMORY for record in lost)
    assert sum(record.size for record in lost) + sum(len(one.data) for one in kept if isinstance(one, Chunk)) == 200_000
    assert undecided._size < 200_000
    undecided.begin(ONE, [started(ONE)])
    assert [record for record in sent(outbox) if not isinstance(record, Loss)] == [
        started(ONE),
        *(record for record in kept if not isinstance(record, Loss)),
    ]


def test_one_that_floods_leaves_another_its_room() -> None:
    undecided = Undecided(Outbox(Limits()), limit=100_000)
    for session in (ONE, TWO):
        undecided.keep(started(session))
    for record in talk(ONE, 10_000, 50):
        undecided.put(record)
    assert not any(isinstance(undecided.put(record), Loss) for record in talk(TWO, 5_000, 2))


def test_facts_beyond_twice_the_limit_are_counted() -> None:
    outbox = Outbox(Limits())
    undecided = Undecided(outbox, limit=2_000)
    undecided.keep(started(ONE))
    for number in range(100):
        undecided.put(ProcessSeen(ProcessId(str(number)), ONE, 1, number))
    undecided.begin(ONE, [started(ONE)])
    (note,) = [record for record in sent(outbox) if isinstance(record, Note)]
    assert note.text == "80 records did not fit into the agent's memory before it was known whose they were" and not note.complete


def test_a_command_line_takes_the_room_it_needs() -> None:
    outbox = Outbox(Limits())
    undecided = Undecided(outbox, limit=20_000)
    undecided.keep(started(ONE))
    for number in range(10):
        undecided.put(ProcessSeen(ProcessId(str(number)), ONE, 1, number, "/bin/x", ("x" * 10_000,)))
    undecided.begin(ONE, [started(ONE)])
    (note,) = [record for record in sent(outbox) if isinstance(record, Note)]
    assert note.text.startswith("7 records did not fit")


def test_a_hold_and_its_outcome_wait_with_their_session() -> None:
    """The outcome names the hold only."""
    outbox = Outbox(Limits())
    undecided = Undecided(outbox)
    undecided.keep(started(ONE))
    process, opened, *_ = talk(ONE)
    said = [process, opened, Hold("h1", opened.stream, Direction.OUT, 0, 3, 4, b"GET")]  # type: ignore[union-attr]
    for record in said:
        undecided.put(record)
    first, second = Outcome("h1", "timeout-allow", 5), Outcome("h2", "pass", 6)
    undecided.put(first)
    undecided.put(second)
    assert sent(outbox) == [second], "of a hold of somebody else's"
    undecided.begin(ONE, [started(ONE)])
    assert sent(outbox)[1:] == [started(ONE), *said, first]
