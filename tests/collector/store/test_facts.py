import json

from support.made_rows import NO_COMMAND

from chaperone.collector.mask.masker import Masker
from chaperone.collector.store import facts
from chaperone.collector.store.rows import Kind
from chaperone.proto import records
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Direction

MASKER = Masker(b"k" * 32)
SESSION, PROCESS, STREAM = SessionId("s"), ProcessId("p"), StreamId("t")
OFFSET = 1_700_000_000_000_000_000


def test_a_session_begins_and_ends_as_two_versions_of_one_thing() -> None:
    record = records.SessionStarted(SESSION, "run", 5, "me", ("kubectl",), "/tmp", "node", ("api:6443",), {"app": "x"})
    command = facts.Command(MASKER.argv(record.argv), MASKER.text(record.cwd), {MASKER.text("app"): MASKER.text("x")})
    begun, over = facts.session_begun(record, command, OFFSET), facts.session_over(records.SessionEnded(SESSION, 9, 137), OFFSET)
    assert (begun.kind, begun.id) == (over.kind, over.id) and begun.phase < over.phase
    assert begun.document["argv"] == ["kubectl"] and begun.document["labels"] == {"app": "x"}
    assert over.document == {"ended": "2023-11-14T22:13:20.000000009Z", "status": 137}


def test_a_process_that_execs_is_a_later_version() -> None:
    rows = [
        facts.process_seen(MASKER.process(records.ProcessSeen(PROCESS, SESSION, time, 42, exe)), OFFSET)
        for time, exe in [(1, "/bin/sh"), (2, "/bin/ls")]
    ]
    assert rows[0].id == rows[1].id and rows[0].position < rows[1].position
    assert facts.process_over(records.ProcessEnded(PROCESS, 3, 1), "s", OFFSET).phase > rows[1].phase


def test_a_stream_is_opened_bound_and_closed() -> None:
    rows = [
        facts.stream_begun(records.StreamOpened(STREAM, PROCESS, SESSION, 1, "go", 7), OFFSET),
        facts.stream_bound(records.Bound(STREAM, 2, 11, "10.0.0.1:1", "10.0.0.2:6443"), "s", OFFSET),
        facts.stream_over(records.StreamClosed(STREAM, 3, 100, 200), "s", OFFSET),
    ]
    assert [row.phase for row in rows] == sorted({row.phase for row in rows})
    assert rows[1].document["remote"] == "10.0.0.2:6443"
    assert rows[2].document["bytes"] == {"out": 100, "in": 200}


def test_holes_say_what_is_missing_and_what_is_not() -> None:
    lost = facts.hole(facts.Hole("t", "in", 5, 7, 1, "ring full", lost=True), "s", OFFSET)
    unread = facts.hole(facts.Hole("t", "in", 5, 0, 1, "not HTTP", lost=False), "s", OFFSET)
    resumed = facts.hole(facts.Hole("t", "in", 9, 0, 1, "read on", lost=False, known=True), "s", OFFSET)
    assert [row.kind for row in (lost, unread, resumed)] == [Kind.LOSS, Kind.GAP, Kind.GAP]
    assert [row.document["complete"] for row in (lost, unread, resumed)] == [False, False, True]


def test_the_same_note_is_the_same_row_and_another_is_not() -> None:
    def row(text: str) -> str:
        return facts.note(records.Note(SESSION, 1, "agent", text), MASKER.text(text), OFFSET).id

    assert row("a") == row("a") != row("b")


def test_a_hold_and_its_outcome_share_an_id() -> None:
    hold = facts.hold(records.Hold("h", STREAM, Direction.OUT, 5, 6, 1), "s", OFFSET)
    outcome = facts.outcome(records.Outcome("h", "pass", 2, "done", b"\x01"), OFFSET)
    assert hold.id == outcome.id and outcome.document["digest"] == "01"


def test_documents_are_json() -> None:
    row = facts.outcome(records.Outcome("h", "pass", 2, "done", b"\xff"), OFFSET)
    assert json.loads(json.dumps(row.document)) == row.document


def test_a_containers_session_says_what_was_known_of_its_pod() -> None:
    about = ("agents", "coder", "u-1", "main", "c" * 64, "registry.example/coder:1", "coder", "Deployment/coder", "gvisor")
    known = facts.session_begun(records.SessionStarted(SESSION, "w", 5, "", (), "", "n", (), None, (), *about), NO_COMMAND, OFFSET).document
    assert known["lookedUp"] == {
        "namespace": "agents",
        "name": "coder",
        "pod": "agents/coder",
        "uid": "u-1",
        "container": "main",
        "containerID": "c" * 64,
        "image": "registry.example/coder:1",
        "serviceAccount": "agents:coder",
        "owner": "Deployment/coder",
        "runtimeClass": "gvisor",
    }
    assert "lookedUp" not in facts.session_begun(records.SessionStarted(SESSION, "w", 5), NO_COMMAND, OFFSET).document


def test_a_container_of_which_the_api_told_nothing_is_still_no_run() -> None:
    nobody = records.SessionStarted(SESSION, "w", 5, container_id="c" * 64)
    known = facts.session_begun(nobody, NO_COMMAND, OFFSET).document["lookedUp"]
    assert {name for name, value in known.items() if value} == {"containerID"}


def test_a_session_that_was_cut_and_the_next_name_each_other() -> None:
    next_ = records.SessionStarted(SESSION, "w", 5, continues=SessionId("before"))
    assert facts.session_begun(next_, NO_COMMAND, OFFSET).document["continues"] == "before"
    over = facts.session_over(records.SessionEnded(SESSION, 9, -1, "24 hours were over", SessionId("after")), OFFSET).document
    assert (over["cut"], over["goesOn"]) == ("24 hours were over", "after")
    assert "cut" not in facts.session_over(records.SessionEnded(SESSION, 9), OFFSET).document


def test_a_session_says_where_chaperone_runs_if_that_is_known() -> None:
    begun = records.SessionStarted(SESSION, "w", 5)
    assert facts.session_begun(begun, NO_COMMAND, OFFSET, "security").document["chaperone"] == "security"
    assert "chaperone" not in facts.session_begun(begun, NO_COMMAND, OFFSET).document
