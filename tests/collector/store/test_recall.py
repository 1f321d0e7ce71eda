from dataclasses import replace

from support.made_rows import OFFSET, SESSION, session_rows

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.recall import open_sessions, past
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.writer import Writer

KEY = b"k" * 32

OTHER = "0f" * 16


def test_only_what_has_not_ended_is_recalled(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    begun = [
        Row(kind, SESSION, id_, 1, 0, OFFSET, {"id": id_})
        for kind, id_ in [(Kind.PROCESS, "p1"), (Kind.PROCESS, "p2"), (Kind.STREAM, "t1")]
    ]
    over = Row(Kind.PROCESS, SESSION, "p2", 4, 1, OFFSET, {"id": "p2", "ended": "2023-11-14T22:13:21.000000000Z"})
    for row in [*session_rows(OTHER), *session_rows(SESSION, ended=False), *begun, over]:
        writer.append(row)
    writer.flush()
    [found] = open_sessions(engine)
    assert found.session["id"] == SESSION
    assert [process["id"] for process in found.processes] == ["p1"]
    assert [stream["id"] for stream in found.streams] == ["t1"]


def test_what_ended_lately_is_still_known_but_its_streams_are_over(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    begun = [Row(kind, SESSION, id_, 1, 0, OFFSET, {"id": id_}) for kind, id_ in [(Kind.PROCESS, "p1"), (Kind.STREAM, "t1")]]
    over = [replace(row, phase=4, document=row.document | {"ended": "2023-11-14T22:13:21.000000000Z"}) for row in begun]
    only_ended = Row(Kind.SESSION, OTHER, OTHER, 4, 1, OFFSET, {"ended": "2023-11-14T22:13:21.000000000Z"})
    for row in [*session_rows(SESSION), *begun, *over, only_ended]:
        writer.append(row)
    writer.flush()
    found = past(engine, Marks(engine, KEY))
    assert {session.session["id"] for session in found.sessions} == {SESSION, OTHER}
    assert {process["id"] for session in found.sessions for process in session.processes} == {"p1"}
    assert (found.over, [session.streams for session in found.sessions]) == ({"t1"}, [[], []])


def test_an_empty_store_recalls_nothing(engine: Engine) -> None:
    assert open_sessions(engine) == []
