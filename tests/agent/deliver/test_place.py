"""Plaintext becomes streams in which nothing is missing without a word."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.agent.deliver.place import Streams
from chaperone.agent.trace.values import ProcessExec, Site, Tls, TlsBytes, TlsClosed, TlsHeld, TlsLost
from chaperone.agent.workload.lineage import Lineage
from chaperone.proto.ids import SessionId, process_id, stream_id
from chaperone.proto.records import Cause, Chunk, Direction, Loss, ProcessSeen, Record, StreamClosed, StreamOpened

PID, START, BORN = 2**22 + 5, 10, 50
TLS = Tls(PID, START, 0xABC, BORN, "openssl", 1)
STREAM = stream_id(process_id("boot", PID, START), 0xABC, BORN)
OUT, IN = Direction.OUT, Direction.IN


def streams() -> Streams:
    return Streams(Lineage("boot", {1: SessionId("s")}), lambda *_: True)


def test_the_first_bytes_open_a_stream_of_a_process() -> None:
    seen, opened, chunk = streams().bytes(TlsBytes(TLS, OUT, 0, b"GET", 60))
    assert isinstance(seen, ProcessSeen)
    assert opened == StreamOpened(STREAM, process_id("boot", PID, START), SessionId("s"), BORN, "openssl", 0xABC)
    assert chunk == Chunk(STREAM, OUT, 0, b"GET", 60)


def test_later_bytes_are_chunks_only() -> None:
    known = streams()
    list(known.bytes(TlsBytes(TLS, OUT, 0, b"GET", 60)))
    assert list(known.bytes(TlsBytes(TLS, OUT, 3, b" /", 61))) == [Chunk(STREAM, OUT, 3, b" /", 61)]


def test_the_same_address_later_is_another_stream() -> None:
    known = streams()
    list(known.bytes(TlsBytes(TLS, OUT, 0, b"a", 60)))
    again = Tls(PID, START, 0xABC, 99, "openssl", 1)
    (opened, _) = known.bytes(TlsBytes(again, OUT, 0, b"b", 99))
    assert isinstance(opened, StreamOpened)
    assert opened.stream != STREAM


def test_losses_are_exact_and_a_jump_without_one_is_stated() -> None:
    known = streams()
    list(known.bytes(TlsBytes(TLS, IN, 0, b"ab", 60)))
    assert list(known.loss(TlsLost(TLS, IN, 2, 8, 61, Cause.RING_FULL))) == [Loss(STREAM, IN, 2, 8, 61, Cause.RING_FULL)]
    assert list(known.bytes(TlsBytes(TLS, IN, 15, b"z", 62))) == [
        Loss(STREAM, IN, 10, 5, 62, Cause.UNKNOWN),
        Chunk(STREAM, IN, 15, b"z", 62),
    ]
    assert (known.chunks, known.size, known.lost) == (2, 3, 13)


def test_a_loss_that_was_stated_before_is_not_counted_twice() -> None:
    known = streams()
    list(known.loss(TlsLost(TLS, OUT, 0, 8, 61, Cause.RING_FULL)))
    assert list(known.loss(TlsLost(TLS, OUT, 0, 8, 61, Cause.RING_FULL))) == []
    assert known.lost == 8


def test_the_end_states_what_is_missing_up_to_it() -> None:
    known = streams()
    list(known.bytes(TlsBytes(TLS, OUT, 0, b"ab", 60)))
    assert list(known.closed(TlsClosed(TLS, 70, 5, 0))) == [Loss(STREAM, OUT, 2, 3, 70, Cause.UNKNOWN), StreamClosed(STREAM, 70, 5, 0)]


def test_an_object_that_carried_nothing_is_no_stream() -> None:
    assert list(streams().closed(TlsClosed(TLS, 70, 0, 0))) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([OUT, IN]), st.integers(1, 50), st.sampled_from(["bytes", "lost", "silent"]))))
def test_chunks_and_losses_cover_every_position_once(events: list[tuple[Direction, int, str]]) -> None:
    known, ends, records = streams(), {OUT: 0, IN: 0}, list[Record]()
    for direction, size, kind in events:
        if kind == "bytes":
            records += known.bytes(TlsBytes(TLS, direction, ends[direction], bytes(size), 60))
        if kind == "lost":
            records += known.loss(TlsLost(TLS, direction, ends[direction], size, 60, Cause.RING_FULL))
        ends[direction] += size
    records += known.closed(TlsClosed(TLS, 70, ends[OUT], ends[IN]))
    covered = {OUT: 0, IN: 0}
    for record in records:
        if isinstance(record, Chunk | Loss):
            assert record.position == covered[record.direction]
            covered[record.direction] += len(record.data) if isinstance(record, Chunk) else record.size
    assert covered == ends


def joined_late() -> Streams:
    return Streams(Lineage("boot", {1: SessionId("s")}))


def test_the_first_held_bytes_of_such_a_process_begin_a_stream_if_it_has_fresh_connections_only() -> None:
    for has_fresh_ones, late in ((True, False), (False, True)):
        known = Streams(Lineage("boot", {1: SessionId("s")}), has_fresh_ones=lambda _, answer=has_fresh_ones: answer)  # type: ignore[misc]
        held = TlsHeld(TLS, OUT, 0, 3, 60, PID, Site.WRITE, 0)
        assert [record.late for record in known.held(held) if isinstance(record, StreamOpened)] == [late]
    known = Streams(Lineage("boot", {1: SessionId("s")}), has_fresh_ones=lambda _: True)
    assert [record.late for record in known.bytes(TlsBytes(TLS, IN, 0, b"a", 60)) if isinstance(record, StreamOpened)] == [True]


def test_an_object_of_a_process_that_ran_before_is_joined_late_behind_what_came_before() -> None:
    known = joined_late()
    _, opened, chunk = known.bytes(TlsBytes(TLS, IN, 0, b"{...", 60))
    assert isinstance(opened, StreamOpened) and opened.late
    assert chunk == Chunk(STREAM, IN, 1, b"{...", 60)
    assert list(known.loss(TlsLost(TLS, IN, 4, 6, 61, Cause.PAGE_ABSENT))) == [Loss(STREAM, IN, 5, 6, 61, Cause.PAGE_ABSENT)]
    assert list(known.closed(TlsClosed(TLS, 70, 3, 10))) == [Loss(STREAM, OUT, 1, 3, 70, Cause.UNKNOWN), StreamClosed(STREAM, 70, 4, 11)]


def test_an_object_of_a_program_that_was_executed_since_is_whole() -> None:
    known = joined_late()
    known.lineage.executed(ProcessExec(PID, START, 40, 1, "/usr/bin/curl", ("curl",), False, 0, 1, 1))
    opened, chunk = known.bytes(TlsBytes(TLS, OUT, 0, b"GET", 60))
    assert isinstance(opened, StreamOpened) and not opened.late
    assert isinstance(chunk, Chunk) and chunk.position == 0


def test_a_new_connection_of_an_old_process_is_whole() -> None:
    known = Streams(Lineage("boot", {1: SessionId("s")}), lambda process, handle: handle == TLS.handle)
    opened = [record for record in known.bytes(TlsBytes(TLS, OUT, 0, b"GET", 60)) if isinstance(record, StreamOpened)]
    assert not opened[0].late
