from chaperone.agent.sockets.coverage import Plaintext
from chaperone.agent.sockets.ties import Ties, Untied
from chaperone.agent.sockets.values import SocketTied
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Bound, Cause, Chunk, Direction, Loss, Note, Outcome, ProcessEnded, Record, StreamClosed, StreamOpened

PROCESS, SESSION, HANDLE = ProcessId("p"), SessionId("s"), 0x10
OUT, IN = Direction.OUT, Direction.IN


def ties() -> Ties:
    return Ties(lambda cookie: (f"local:{cookie}", f"remote:{cookie}"))


def opened(name: str = "a", time: int = 100, process: ProcessId = PROCESS) -> StreamOpened:
    return StreamOpened(StreamId(name), process, SESSION, time, "openssl", HANDLE)


def tied(cookie: int, time: int = 101) -> SocketTied:
    return SocketTied(1, 2, time, HANDLE, cookie)


def feed(to: Ties, *records: Record) -> list[Record]:
    return [said for record in records for said in to.saw(record)]


def test_a_tie_before_the_stream_waits_for_it() -> None:
    to = ties()
    assert list(to.tied(PROCESS, tied(7))) == []
    assert feed(to, opened()) == [Bound(StreamId("a"), 101, 7, "local:7", "remote:7", SESSION)]


def test_a_tie_after_the_streams_first_bytes_binds_it() -> None:
    to = ties()
    assert feed(to, opened()) == []
    assert list(to.tied(PROCESS, tied(7))) == [Bound(StreamId("a"), 101, 7, "local:7", "remote:7", SESSION)]
    assert list(to.tied(PROCESS, tied(7))) == []


def test_a_tie_of_the_object_that_had_the_address_before_is_not_taken() -> None:
    to = ties()
    assert list(to.tied(PROCESS, tied(7, time=50))) == []
    assert feed(to, opened(time=100)) == []


def test_an_address_used_again_is_another_stream() -> None:
    to = ties()
    feed(to, opened("a"))
    list(to.tied(PROCESS, tied(7)))
    feed(to, StreamClosed(StreamId("a"), 110, 0, 0), opened("b", 120))
    assert list(to.tied(PROCESS, tied(8, 121))) == [Bound(StreamId("b"), 121, 8, "local:8", "remote:8", SESSION)]


def test_early_data_is_counted_apart() -> None:
    to, a = ties(), StreamId("a")
    feed(to, opened("a"), Loss(a, OUT, 0, 9, 1, Cause.EARLY), Loss(a, OUT, 9, 2, 1), Chunk(a, OUT, 11, b"xy", 1))
    list(to.tied(PROCESS, tied(7)))
    assert to.plaintext(7, OUT) == Plaintext(13, 2, early=9)


def test_bytes_that_went_through_and_bytes_captured_are_counted_per_connection() -> None:
    to = ties()
    feed(to, opened("a"), opened("b", process=ProcessId("child")))
    list(to.tied(PROCESS, tied(7)))
    list(to.tied(ProcessId("child"), tied(7)))
    a, b = StreamId("a"), StreamId("b")
    feed(to, Chunk(a, OUT, 0, b"xy", 1), Loss(a, OUT, 2, 5, 1), Chunk(b, OUT, 0, b"z", 1), Chunk(a, IN, 0, b"123", 1))
    assert to.plaintext(7, OUT) == Plaintext(8, 3)
    assert to.plaintext(7, IN) == Plaintext(3, 3)
    to.forget(7)
    assert to.plaintext(7, OUT) == Plaintext(tied=False)


def spoken(to: Ties, name: str = "a", size: int = 2) -> None:
    stream = StreamId(name)
    feed(to, opened(name), Chunk(stream, OUT, 0, bytes(size), 1), StreamClosed(stream, 9, size, 0))


def test_plaintext_of_no_socket_is_unassociated() -> None:
    to = ties()
    spoken(to)
    assert list(to.unassociated(9)) == []
    [note] = to.unassociated(10)
    text = "unassociated: 2 bytes are tied to no socket: no proof that they were sent"
    assert note == Note(SESSION, 9, "stream a", text)
    assert list(to.unassociated(99)) == []


def test_a_record_that_waited_is_tied_by_the_number_of_bytes() -> None:
    to = ties()
    spoken(to)
    assert list(to.match(Untied(7, PROCESS, 90, 3), 20)) == []
    assert list(to.match(Untied(7, PROCESS, 101, 2), 20)) == []
    assert list(to.match(Untied(7, ProcessId("other"), 90, 2), 20)) == []
    assert list(to.match(Untied(7, PROCESS, 90, 2), 20)) == [Bound(StreamId("a"), 20, 7, "local:7", "remote:7", SESSION)]
    assert list(to.unassociated(99)) == []


def test_a_record_that_waited_in_the_place_of_another_is_tied_by_what_left() -> None:
    to = ties()
    stream = StreamId("a")
    feed(
        to,
        opened(),
        Chunk(stream, OUT, 0, bytes(20), 1),
        Outcome("h", "write", 5, stream=stream, gained=-8),
        StreamClosed(stream, 9, 20, 0),
    )
    assert list(to.match(Untied(7, PROCESS, 90, 20), 20)) == []
    assert list(to.match(Untied(7, PROCESS, 90, 12), 20)) == [Bound(stream, 20, 7, "local:7", "remote:7", SESSION)]


def test_a_connection_of_which_nothing_left_is_that_of_the_stream_that_an_order_ended() -> None:
    for result, is_its in (("connection", True), ("connection: its socket is not known", False)):
        to, a = ties(), StreamId("a")
        feed(to, opened(), Chunk(a, OUT, 0, bytes(5), 1), Outcome("g", "skip", 4, stream=a, gained=-5))
        feed(to, StreamClosed(a, 9, 5, 0), Outcome("h", "kill", 8, result, stream=a))
        assert list(to.match(Untied(7, PROCESS, 90, 5), 20)) == []
        assert [type(record) for record in to.match(Untied(7, PROCESS, 90, 0), 20)] == [Bound] * is_its
        assert to.plaintext(7, OUT).tied is is_its


def test_a_childs_record_that_waited_is_tied_by_its_parents_object() -> None:
    to = ties()
    feed(to, opened("parent"))
    list(to.tied(PROCESS, tied(7)))
    feed(to, opened("child", process=ProcessId("child")), Chunk(StreamId("child"), OUT, 0, b"abc", 1))
    [bound] = to.match(Untied(7, PROCESS, 90, 3), 20)
    assert isinstance(bound, Bound)
    assert (bound.stream, bound.cookie) == ("child", 7)


def test_two_streams_that_fit_are_not_guessed() -> None:
    to = ties()
    spoken(to, "a")
    spoken(to, "b")
    assert list(to.match(Untied(7, PROCESS, 90, 2), 20)) == []


def test_records_on_a_second_socket_are_counted_and_said() -> None:
    to = ties()
    feed(to, opened())
    for cookie in (7, 8, 8):
        list(to.tied(PROCESS, tied(cookie)))
    assert to.on(7)[0].strays == 2
    assert to.on(8) == []
    [note] = feed(to, StreamClosed(StreamId("a"), 9, 0, 0))
    assert isinstance(note, Note)
    assert note.text == "2 of its records were seen on another connection than the first"


def test_a_process_that_ended_is_waited_for_no_more_but_has_spoken() -> None:
    to = ties()
    list(to.tied(PROCESS, tied(7)))
    feed(to, ProcessEnded(PROCESS, 10))
    assert feed(to, opened()) == []
    assert PROCESS in to.speaking


def test_what_left_in_the_place_of_other_bytes_counts_as_what_left() -> None:
    to = ties()
    feed(to, opened(), Chunk(StreamId("a"), OUT, 0, b"x" * 100, 105), Chunk(StreamId("a"), IN, 0, b"x" * 30, 105))
    list(to.tied(PROCESS, tied(7)))
    feed(to, Outcome("h", "write", 106, stream=StreamId("a"), gained=14), Outcome("h", "skip", 107, stream=StreamId("a"), gained=-20))
    assert (to.plaintext(7, OUT), to.plaintext(7, IN)) == (Plaintext(94, 94, tied=True), Plaintext(30, 30, tied=True))
    assert feed(to, Outcome("h", "write", 108, stream=StreamId("other"), gained=1)) == []


def test_an_outcome_that_comes_behind_its_streams_end_counts() -> None:
    """Holds tell of it in a thread of their own: a client that writes its last and goes may be overtaken by its end."""
    to, a = ties(), StreamId("a")
    feed(to, opened(), Chunk(a, OUT, 0, b"x" * 100, 105))
    list(to.tied(PROCESS, tied(7)))
    feed(to, Outcome("h", "skip", 106, stream=a, gained=-71), StreamClosed(a, 107, 100, 0), Outcome("h", "write", 106, stream=a, gained=71))
    assert to.plaintext(7, OUT) == Plaintext(100, 100)
    to.forget(7)
    assert feed(to, Outcome("h", "write", 108, stream=a, gained=9)) == [] and to.plaintext(7, OUT) == Plaintext(tied=False)


def test_an_outcome_behind_the_end_of_a_stream_without_a_socket_counts_when_that_is_found() -> None:
    to, a = ties(), StreamId("a")
    feed(to, opened(), Chunk(a, OUT, 0, b"xy", 105), StreamClosed(a, 107, 2, 0), Outcome("h", "write", 106, stream=a, gained=5))
    assert [record.stream for record in to.match(Untied(7, PROCESS, 50, 7), 110) if isinstance(record, Bound)] == [a]
    assert to.plaintext(7, OUT) == Plaintext(7, 7)
