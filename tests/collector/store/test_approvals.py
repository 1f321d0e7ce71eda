"""Approvals in a real store."""

import json
from typing import Any

import pytest
from support.approving import LIFE, NOW, asking, no, yes

from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.document import document
from chaperone.collector.parameters import QuestionError
from chaperone.collector.store.approvals import approval_row, recent_approvals
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.writer import Writer


def write(engine: Engine, book: Book) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for approval in book.take():
        writer.append(approval_row(document(approval)))
    writer.flush()


def asked(engine: Engine, **parameters: Any) -> list[dict[str, Any]]:
    return ask(engine, "approvals.list", json.dumps(parameters))


def filled(engine: Engine) -> list[str]:
    """One denied, one that is used, one that waits: each change in a write of its own."""
    book, ids = Book(), []
    for number in range(3):
        book.ask(asking(number, binding=f"{number:064x}"), NOW + number)
        ids.append(book.changed[-1].id)
        write(engine, book)
    book.vote(ids[0], no())
    book.vote(ids[1], yes())
    write(engine, book)
    book.ask(asking(9, binding=f"{1:064x}"), NOW + 5)
    write(engine, book)
    return ids


def test_each_is_listed_as_it_is_now(engine: Engine) -> None:
    ids = filled(engine)
    found = asked(engine)
    assert [(one["id"], one["state"], one["version"]) for one in found] == list(
        zip(ids, ["denied", "used", "pending"], [2, 3, 1], strict=True)
    )
    assert [one["state"] for one in asked(engine, limit=1)] == ["pending"]
    assert [one["id"] for one in asked(engine, state="used")] == ids[1:2] == [one["id"] for one in asked(engine, id=ids[1][:6])]
    assert len(asked(engine, rule="roles", session="5555", since="2027-01-15T00:00:00Z")) == 3
    assert asked(engine, rule="other") == asked(engine, session="66") == asked(engine, since="2028-01-01T00:00:00Z") == []
    with pytest.raises(QuestionError):
        asked(engine, person="x")


def test_whoever_follows_sees_what_changed(engine: Engine) -> None:
    ids = filled(engine)
    arrived = [row["arrived"] for row in engine.rows("SELECT arrived FROM records ORDER BY arrived")]
    assert [one["id"] for one in asked(engine, after=arrived[2])] == [ids[0], ids[1]]
    assert asked(engine, after=arrived[5]) == []


def test_a_restarted_collector_goes_on_with_them(engine: Engine) -> None:
    ids = filled(engine)
    found = recent_approvals(engine)
    assert [one["id"] for one in found] == ids
    assert all(one["until"] for one in found) and LIFE
    assert found[1]["votes"][0]["why"] == "agreed"


def test_one_that_is_asked_for_again_after_its_end_is_as_it_is_now(engine: Engine) -> None:
    book = Book()
    book.ask(asking(1), NOW)
    book.lapse(NOW + LIFE)
    book.ask(asking(1), NOW + LIFE)
    write(engine, book)
    assert [(one["state"], one["version"]) for one in asked(engine)] == [("pending", 3)]
