from support.made_rows import OFFSET, PROCESS, SESSION, STREAM, call_row, session_rows

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.timeline import moments
from chaperone.collector.store.writer import Writer
from chaperone.collector.times import SECOND, rfc3339
from chaperone.collector.wire.exchange import Phase


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for row in rows:
        writer.append(row)
    writer.flush()


def piece(call: str, position: int, ordinal: int) -> Row:
    document = {"call": call, "time": rfc3339(OFFSET + 5 * SECOND), "position": position, "ordinal": ordinal}
    id_ = f"{call}/in/{position}/{ordinal}"
    return Row(Kind.PIECE, SESSION, id_, Phase.STREAM, position, OFFSET + 5 * SECOND, document, STREAM, PROCESS["id"], call)


def test_what_came_at_one_time_is_in_order_of_its_position(engine: Engine) -> None:
    call = call_row(1)
    pieces = [piece(call.id, position, ordinal) for position in (999, 1000, 10_000) for ordinal in (9, 10)]
    written(engine, call, *reversed(pieces))
    found = [moment["document"] for moment in moments(engine, SESSION) if moment["kind"] == "piece"]
    assert [(one["position"], one["ordinal"]) for one in found] == [(p, n) for p in (999, 1000, 10_000) for n in (9, 10)]


def test_an_exchange_that_became_a_call_is_told_once(engine: Engine) -> None:
    call = call_row(1)
    written(engine, Row(Kind.EXCHANGE, SESSION, call.id, 1, 1, call.time, {"id": call.id, "time": rfc3339(call.time)}), call)
    assert [moment["kind"] for moment in moments(engine, SESSION)] == ["call", "answer"]


def test_what_has_no_time_comes_first(engine: Engine) -> None:
    written(engine, *session_rows(ended=False), Row(Kind.NOTE, SESSION, "n", 1, 0, 0, {"subject": "s", "text": "t"}))
    assert [(moment["kind"], bool(moment["at"])) for moment in moments(engine, SESSION)] == [("note", False), ("session", True)]
