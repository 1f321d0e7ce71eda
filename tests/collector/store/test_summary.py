from typing import Any

from support.made_rows import OFFSET, SESSION, STREAM, call_row, session_rows

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.summary import merged, summary
from chaperone.collector.store.writer import Writer
from chaperone.collector.wire.exchange import Phase

KEY = b"k" * 32


def written(engine: Engine, *rows: Row) -> None:
    writer = Writer(engine, Marks(engine, KEY))
    for row in rows:
        writer.append(row)
    writer.flush()


def row(kind: Kind, id_: str, phase: int, document: dict[str, Any]) -> Row:
    return Row(kind, SESSION, id_, phase, 0, OFFSET, document, stream=STREAM)


def test_a_whole_session_is_complete(engine: Engine) -> None:
    written(engine, *session_rows(), call_row(1), call_row(2))
    found = summary(engine, SESSION)
    assert (found["calls"], found["complete"], found["missing"]) == (2, True, [])
    assert found["status"] == 0 and found["bytes"] == {"out": 20, "in": 40}


def test_a_session_that_goes_on_is_not_complete(engine: Engine) -> None:
    written(engine, *session_rows(ended=False), call_row())
    assert summary(engine, SESSION)["missing"] == ["the session has not ended"]


def test_everything_that_is_missing_is_said(engine: Engine) -> None:
    written(
        engine,
        *session_rows(),
        call_row(1, complete=False),
        call_row(2, phase=Phase.RESPONSE, ended=None),
        row(Kind.LOSS, "l1", 1, {"size": 5, "cause": "ring full", "complete": False}),
        row(Kind.LOSS, "l2", 1, {"size": 7, "cause": "ring full", "complete": False}),
        row(Kind.GAP, "g1", 1, {"size": 0, "cause": "not HTTP", "complete": False}),
        row(Kind.GAP, "g2", 1, {"size": 0, "cause": "read on", "complete": True}),
        row(Kind.NOTE, "n1", 1, {"subject": "agent", "text": "went away", "complete": False}),
        row(Kind.NOTE, "n2", 1, {"subject": "agent", "text": "said hello", "complete": True}),
    )
    found = summary(engine, SESSION)
    assert found["missing"] == [
        "2 calls are incomplete",
        "1 stretch is unreadable: not HTTP",
        "12 bytes lost: ring full",
        "agent: went away",
    ]
    assert not found["complete"]


def test_a_loss_that_was_stored_twice_counts_once(engine: Engine) -> None:
    for _ in range(2):
        written(engine, *session_rows(), row(Kind.LOSS, "l1", 1, {"size": 5, "cause": "ring full", "complete": False}))
    assert summary(engine, SESSION)["missing"] == ["5 bytes lost: ring full"]


def test_a_closed_stream_knows_its_length_better_than_its_calls(engine: Engine) -> None:
    written(engine, *session_rows(), call_row(1), row(Kind.STREAM, STREAM, 4, {"bytes": {"out": 1000, "in": 2000}}))
    assert summary(engine, SESSION)["bytes"] == {"out": 1000, "in": 2000}


def test_later_versions_lie_over_earlier_ones(engine: Engine) -> None:
    begun, over = row(Kind.PROCESS, "p", 1, {"id": "p", "exe": "/bin/sh"}), row(Kind.PROCESS, "p", 4, {"id": "p", "status": 3})
    written(engine, over)
    written(engine, begun)
    assert merged(engine, SESSION, ["process"]) == [{"id": "p", "exe": "/bin/sh", "status": 3}]


def test_a_session_nobody_began_has_a_summary_all_the_same(engine: Engine) -> None:
    assert summary(engine, "00")["id"] == "00"


def test_an_exchange_that_became_a_call_counts_as_a_call_only(engine: Engine) -> None:
    call = call_row(1)
    document = {"id": call.id, "bytes": {"out": 7, "in": 0}, "complete": True}
    before = Row(Kind.EXCHANGE, SESSION, call.id, 1, 5, OFFSET, document, stream=STREAM)
    written(engine, *session_rows(), before, call)
    found = summary(engine, SESSION)
    assert (found["calls"], found["exchanges"], found["missing"], found["bytes"]) == (1, 0, [], {"out": 10, "in": 20})


def test_texts_of_policies_are_not_in_it_and_bare_ones_of_an_earlier_version_do_no_harm(engine: Engine) -> None:
    policies = [{"text": "kind: Policy", "digest": "d", "masked": False}, "kind: Policy"]
    written(engine, *session_rows(), row(Kind.SESSION, SESSION, 2, {"policies": policies}))
    assert summary(engine, SESSION)["policies"] == [{"digest": "d", "masked": False}]
