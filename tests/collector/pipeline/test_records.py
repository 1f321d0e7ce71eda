from dataclasses import replace
from typing import Any

import pytest
from support import name_server
from support.conversations import Conversation, pods

from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.store.recall import NAMES, OpenSession, Past
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    Bound,
    Connection,
    Direction,
    Hold,
    NameAnswer,
    Note,
    Outcome,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    Unknown,
)

OFFSET = 1_700_000_000_000_000_000


def taken(records: list[Record], recalled: tuple[OpenSession, ...] = ()) -> list[Row]:
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    pipeline.recall(Past(list(recalled)))
    for record in records:
        pipeline.take(record, OFFSET)
    return rows


def of(rows: list[Row], kind: Kind) -> list[dict[str, Any]]:
    return [row.document for row in rows if row.kind is kind]


def test_a_session_becomes_rows_of_its_own() -> None:
    one = Conversation()
    rows = taken([*one.begun(), *one.exchange("/api/v1/pods", pods()), *one.ended()])
    assert {row.session for row in rows} == {one.session}
    assert {row.kind for row in rows} == {Kind.SESSION, Kind.PROCESS, Kind.STREAM, Kind.CALL}
    assert len({row.id for row in rows if row.kind is Kind.CALL}) == 1


def test_a_call_names_its_process_as_it_is_then() -> None:
    one = Conversation()
    changed = ProcessSeen(one.process, one.session, one.tick(), 4242, "/usr/bin/curl", ("curl",))
    rows = taken([*one.begun(), *one.exchange("/api/v1/pods", pods()), changed, *one.exchange("/api/v1/nodes", pods())])
    found = {call["resource"]: call["process"]["exe"] for call in of(rows, Kind.CALL)}
    assert found == {"pods": "/usr/bin/kubectl", "nodes": "/usr/bin/curl"}


def test_the_same_records_make_the_same_rows() -> None:
    def records() -> list[Record]:
        one = Conversation()
        return [*one.begun(), *one.exchange("/api/v1/pods", pods(3)), *one.ended()]

    assert taken(records()) == taken(records())


def test_command_lines_are_masked_for_sessions_and_processes() -> None:
    one = Conversation()
    rows = taken(one.begun("kubectl", "--token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl", "get"))
    for kind in (Kind.SESSION, Kind.PROCESS):
        [document] = of(rows, kind)
        assert document["argv"][0] == "kubectl" and "eyJhbGciOiJSUzI1NiJ9" not in str(document)


def test_the_end_of_a_session_ends_what_is_open() -> None:
    one = Conversation()
    rows = taken([*one.begun(), one.request("/api/v1/pods"), SessionEnded(one.session, one.tick())])
    calls = of(rows, Kind.CALL)
    assert calls[-1]["phase"] == "end" and not calls[-1]["complete"]
    assert of(rows, Kind.STREAM)[-1]["bytes"] == {"out": one.positions[0], "in": 0}
    assert of(rows, Kind.SESSION)[-1]["status"] == -1


def test_bytes_of_a_stream_nobody_opened_are_read_and_noted() -> None:
    one = Conversation()
    rows = taken(one.exchange("/api/v1/pods", pods()))
    assert of(rows, Kind.CALL)[-1]["resource"] == "pods"
    [note] = of(rows, Kind.NOTE)
    assert not note["complete"] and note["text"] == "bytes came that belong to no open stream"


def test_recalled_sessions_know_their_processes_and_streams() -> None:
    one = Conversation()
    one.exchange("/api/v1/pods", pods())
    session = {"id": one.session, "apiservers": []}
    process, stream = {"id": one.process, "pid": 7, "exe": "/bin/x", "argv": []}, {"id": one.stream, "process": one.process}
    rows = taken(one.exchange("/api/v1/nodes", pods()), (OpenSession(session, [process], [stream]),))
    call = of(rows, Kind.CALL)[-1]
    assert (call["session"], call["process"]["pid"], call["resource"]) == (one.session, 7, "nodes")
    assert of(rows, Kind.NOTE) == [] and of(rows, Kind.LOSS) == []


def test_an_ended_process_is_found_in_its_session() -> None:
    one = Conversation()
    [*_, row] = taken([*one.begun(), ProcessEnded(one.process, one.tick(), 3)])
    assert (row.kind, row.session, row.document["status"]) == (Kind.PROCESS, one.session, 3)


def test_connections_holds_outcomes_and_notes_are_kept() -> None:
    one = Conversation()
    records = [
        *one.begun(),
        Bound(one.stream, 1, 5, "10.0.0.1:5", "10.0.0.2:6443"),
        Hold("h", one.stream, Direction.OUT, 0, 5, 1),
        Outcome("h", "pass", 2),
        Note(one.session, 3, "agent", "password=hunter2hunter2 seen"),
    ]
    rows = taken(records)
    assert [row.session for row in rows if row.kind is Kind.HOLD] == [one.session]
    assert of(rows, Kind.STREAM)[-1]["remote"] == "10.0.0.2:6443"
    assert "hunter2" not in str(of(rows, Kind.NOTE))


def test_a_record_of_an_unknown_kind_makes_the_recording_say_so_once() -> None:
    rows = taken([Unknown(99), Unknown(99)])
    assert len({row.id for row in rows}) == 1 and not rows[0].document["complete"]


def test_a_record_left_out_makes_its_session_say_so() -> None:
    [row] = taken([Unknown(3, "ProcessSeen.uid is out of bounds", SessionId("s"))])
    assert (row.session, row.document["complete"]) == ("s", False)
    assert "ProcessSeen.uid" in row.document["text"]


def test_what_ended_is_let_go() -> None:
    rows: list[Row] = []
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for number in range(20):
        one = Conversation(f"s{number}")
        for record in [*one.begun(), *one.exchange("/api/v1/pods", pods()), *one.ended()]:
            pipeline.take(record, OFFSET)
    assert not pipeline._sessions and not pipeline._streams and not pipeline._homes


def test_processes_that_ended_are_let_go_while_their_session_lasts() -> None:
    one, rows = Conversation(), list[Row]()
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    for record in one.begun():
        pipeline.take(record, OFFSET)
    for number in range(1000):
        process = ProcessId(f"p{number}")
        pipeline.take(ProcessSeen(process, one.session, 1, number), OFFSET)
        pipeline.take(ProcessEnded(process, 2), OFFSET)
    assert len(pipeline._homes) <= 1 and len(pipeline._sessions[one.session].processes) <= 1


def test_a_stream_that_two_sessions_claim_ends_with_either() -> None:
    begun = [SessionStarted(SessionId(name), name, 1) for name in "ab"]
    opened = [StreamOpened(StreamId("t"), ProcessId("p"), SessionId(name), 1, "go") for name in "ab"]
    ended = [SessionEnded(SessionId(name), 3) for name in "ba"]
    assert of(taken([*begun, *opened, *ended]), Kind.NOTE) == []


def test_a_record_that_we_fail_on_is_noted_without_its_text_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("payload")

    monkeypatch.setattr("chaperone.collector.store.facts.stream_bound", fail)
    rows = taken([SessionStarted(SessionId("s"), "w", 1), Bound(StreamId("t"), 1), SessionEnded(SessionId("s"), 3)])
    assert [row.kind for row in rows] == [Kind.SESSION, Kind.NOTE, Kind.SESSION]
    [note] = of(rows, Kind.NOTE)
    assert "Bound could not be used: KeyError at test_records.py" in note["text"] and not note["complete"]
    assert "payload" not in str(rows)


def test_records_about_nothing_known_do_no_harm() -> None:
    stream, session, process = StreamId("t"), SessionId("s"), ProcessId("p")
    records: list[Record] = [StreamClosed(stream, 1), ProcessEnded(process, 1), SessionEnded(session, 2), SessionStarted(session, "w", 3)]
    assert len(taken([*records, Bound(stream, 1)])) >= 4


def test_a_connection_is_kept_and_its_name_is_masked() -> None:
    one = Conversation()
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
    begun = Connection(ConnectionId("c"), one.session, ProcessId("p"), 5, 9, "a:1", "b:2", "tcp", secret)
    [document] = of(taken([*one.begun(), begun]), Kind.CONNECTION)
    assert (document["remote"], document["session"]) == ("b:2", one.session)
    assert secret not in str(document)


def api_answer() -> bytes:
    """That api.test is at 192.0.2.7."""
    return name_server.message("api.test", name_server.A, [name_server.record("api.test", name_server.A, bytes([192, 0, 2, 7]))])


def test_a_connection_has_the_names_that_were_asked_for_and_keeps_them() -> None:
    one, sent = Conversation(), api_answer()
    asked = Connection(ConnectionId("n"), one.session, ProcessId("p"), 4, 1, "a:1", "10.0.0.1:53", "udp")
    answer = NameAnswer(asked.connection, one.session, 5, 0, len(sent), sent, "udp")
    begun = Connection(ConnectionId("c"), one.session, ProcessId("p"), 6, 9, "a:2", "192.0.2.7:443", "tcp")
    rows = taken([*one.begun(), asked, answer, begun, replace(begun, ended=8), replace(asked, ended=9)])
    names = {(row["id"], "ended" in row): row["names"] for row in of(rows, Kind.CONNECTION)}
    assert names == {("n", False): [], ("c", False): ["api.test"], ("c", True): ["api.test"], ("n", True): []}


def test_names_go_on_in_another_collector_until_their_session_ends() -> None:
    one, sent = Conversation(), api_answer()
    before, after = Pipeline(lambda: Masker(b"k" * 32), list[Row]()), list[Row]()
    asked = Connection(ConnectionId("n"), one.session, ProcessId("p"), 4, 1, "a:1", "10.0.0.1:53", "udp")
    for record in (*one.begun(), asked, NameAnswer(asked.connection, one.session, 5, 0, len(sent), sent, "udp")):
        before.take(record, 0)
    stored = {mark.stream: mark.state for mark in before.marks()[0] if mark.state and mark.stream.startswith(NAMES)}
    assert list(stored) == [f"{NAMES}{one.session}"]
    restarted = Pipeline(lambda: Masker(b"k" * 32), after)
    restarted.recall(Past([OpenSession({"id": one.session}, [], [])], names=stored | {f"{NAMES}gone": b""}))
    restarted.take(Connection(ConnectionId("c"), one.session, ProcessId("p"), 6, 9, "a:2", "192.0.2.7:443", "tcp"), 0)
    assert [document["names"] for document in of(after, Kind.CONNECTION)] == [["api.test"]]
    restarted.take(SessionEnded(one.session, 9), 0)
    removed = {mark.stream for mark in restarted.marks()[0] if mark.state is None}
    assert {f"{NAMES}gone", f"{NAMES}{one.session}"} <= removed


def test_a_stream_can_be_bound_behind_its_end() -> None:
    [row] = taken([Bound(StreamId("t"), 6, 7, "a:1", "b:2", SessionId("s"))])
    assert (row.session, row.document["remote"]) == ("s", "b:2")


def test_a_stream_that_was_there_before_the_recording_is_read_from_the_middle_and_says_so() -> None:
    one, rows = Conversation(), list[Row]()
    pipeline = Pipeline(lambda: Masker(b"k" * 32), rows)
    begun = [replace(record, late=True) if isinstance(record, StreamOpened) else record for record in one.begun()]
    one.positions = [1, 1]
    tail = one.chunk(Direction.IN, b'": "the end of an answer"}')
    for record in [*begun, tail, *one.exchange("/api/v1/pods", pods()), *one.ended()]:
        pipeline.take(record, 0)
    calls = {row.id: row.document for row in rows if row.kind is Kind.CALL}
    assert [call["requestURI"] for call in calls.values()] == ["/api/v1/pods"]
    assert any("read from the middle" in str(row.document) for row in rows if row.kind is Kind.GAP)
    assert not [row for row in rows if row.kind is Kind.LOSS]


def test_a_stream_whose_mark_makes_no_sense_is_joined_late_and_the_others_go_on() -> None:
    """As the marks of a version whose layout nobody raised would."""
    good, bad = Conversation("good"), Conversation("bad")
    before, rows = Pipeline(lambda: Masker(b"k" * 32), list[Row]()), list[Row]()
    for record in [*good.begun(), good.request("/api/v1/pods"), *bad.begun(), bad.request("/api/v1/pods")]:
        before.take(record, 0)
    marks = {mark.stream: mark.state for mark in before.marks()[0] if mark.state}
    for state in (b"\x80", b"\xff", b"", marks[bad.stream][:-20]):
        past = [OpenSession({"id": one.session}, [], [{"id": one.stream, "process": one.process}]) for one in (bad, good)]
        rows.clear()
        restarted = Pipeline(lambda: Masker(b"k" * 32), rows)
        restarted.recall(Past(past, marks | {bad.stream: state}))
        [note] = [row.document for row in rows if row.kind is Kind.NOTE]
        assert note["session"] == bad.session and "joined where it is" in note["text"] and not note["complete"]
        answers = replace(good.answer(pods()), position=0), replace(bad.answer(pods()), position=0)
        for record in answers:
            restarted.take(record, 0)
        assert {row.session for row in rows if row.kind is Kind.CALL} == {good.session}


def test_a_stream_and_a_process_go_on_over_a_cut_and_another_collectors_start() -> None:
    """The stream stays in the session that it began in; the process is of both."""
    one, first, second = Conversation(), list[Row](), list[Row]()
    before = Pipeline(lambda: Masker(b"k" * 32), first)
    next_ = SessionId("next")
    seen = next(record for record in one.begun() if isinstance(record, ProcessSeen))
    cut = [SessionStarted(next_, "w", 90, continues=one.session), replace(seen, session=next_, time=90)]
    for record in [*one.begun(), *one.exchange("/api/v1/pods", pods()), *cut]:
        before.take(record, 0)
    marks = {mark.stream: mark.state for mark in before.marks()[0] if mark.state}
    stream = next(record.stream for record in one.begun() if isinstance(record, StreamOpened))
    open_ = {"id": stream, "process": seen.process}
    process = {"id": seen.process}
    past = [OpenSession({"id": next_}, [process], []), OpenSession({"id": one.session}, [process], [open_])]
    restarted = Pipeline(lambda: Masker(b"k" * 32), second)
    restarted.recall(Past(past, marks))
    ended = [SessionEnded(one.session, 99, cut="24 hours were over", goes_on=next_), ProcessEnded(seen.process, 100)]
    for record in [*one.exchange("/api/v1/nodes", pods()), ProcessEnded(seen.process, 98), *ended]:
        restarted.take(record, 0)
    calls = {(row.document["requestURI"], row.session) for row in first + second if row.kind is Kind.CALL}
    assert calls == {("/api/v1/pods", one.session), ("/api/v1/nodes", one.session)}
    assert not [row for row in second if row.kind in (Kind.LOSS, Kind.GAP)]
    assert [row.session for row in second if row.kind is Kind.PROCESS][:2] == [next_, one.session]
    over = next(row.document for row in second if row.kind is Kind.SESSION)
    assert (over["cut"], over["goesOn"]) == ("24 hours were over", next_)
