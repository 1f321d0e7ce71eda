from support.made_alerts import alert

from chaperone.collector.enforce.alert import document
from chaperone.collector.enforce.message import Entry, Kind, Message, message_id, trial


def test_an_id_is_the_alerts_own_at_first_and_says_later_how_many_were_told() -> None:
    assert message_id([("a" * 32, 0)]) == "a" * 32
    assert message_id([("a" * 32, 7)]) == "a" * 32 + "-7"
    digests = {message_id([("a", 0), ("b", 0)]), message_id([("b", 0), ("a", 0)]), message_id([("a", 0), ("b", 1)])}
    assert len(digests) == 3 and {len(digest) for digest in digests} == {32}


def test_a_document_says_how_many_are_new() -> None:
    made = Message("m", Kind.MORE, (Entry(document(alert()), 10, 4, {"time": "t"}),), omitted=2, dropped=3)
    found = made.document()
    assert (found["id"], found["kind"], found["omitted"], found["dropped"]) == ("m", "more", 2, 3)
    assert [(entry["count"], entry["new"]) for entry in found["alerts"]] == [(10, 6)]


def test_a_trial_says_that_it_is_one() -> None:
    found = trial("m", "t")
    assert found.kind is Kind.TEST and "test" in found.entries[0].alert["message"]
