from chaperone.collector.mask.known import Known, Origin
from chaperone.collector.pipeline import knowledge

VALUE = b"Zq7xWv3pLm9kTb2r"


def known() -> Known:
    found = Known()
    found.add(VALUE, Origin("ns/db:password", "call", 7))
    return found


def stored(session: str, found: Known) -> dict[str, bytes]:
    return {mark.stream: mark.state for mark in knowledge.marks(session, found) if mark.state is not None}


def test_another_collector_knows_the_same_of_each_session() -> None:
    marks = stored("s", known()) | stored("other", Known())
    again = knowledge.recalled("s", marks)
    assert VALUE in again and again.origin(VALUE) == Origin("ns/db:password", "call", 7)
    assert VALUE not in knowledge.recalled("other", marks) and VALUE not in knowledge.recalled("", marks)


def test_what_belongs_to_no_session_is_removed() -> None:
    marks = stored("s", known()) | stored("gone", known())
    assert [(mark.stream, mark.state) for mark in knowledge.left_over({"s": None}, marks)] == [("known/gone/0", None)]


def test_forgetting_is_said_once() -> None:
    found = known()
    assert knowledge.forgotten(found, 0) == ""
    found.forgotten = 3
    assert knowledge.forgotten(found, 0).startswith("3 secrets") and knowledge.forgotten(found, 3) == ""
