from pathlib import Path

from support import documents as d
from support.filled_store import filled

from chaperone.collector.cli.past import event_again, recorded
from chaperone.collector.rules.event import Subject
from chaperone.collector.rules.verdict import Moment

__all__ = ["filled"]


def test_a_recorded_session_comes_again_in_order(filled: Path) -> None:
    past = recorded(filled, d.SESSION[:8])
    events = list(past.events())
    assert past.session["workload"] == "run"
    found = [(event.subject, event.moment, event.document["id"]) for event in events]
    assert {(Subject.CALL, 1, d.CALL), (Subject.EGRESS, 1, d.OTHER), (Subject.CALL, 1, d.EXEC)} == set(found[:3])
    assert found[3] == (Subject.CALL, 2, d.CALL)
    pieces = [event.piece["body"]["data"] for event in events if event.subject is Subject.CHANNEL]
    assert pieces == ["total 0\x1b[2J\n", "no\n"]


def test_a_connection_comes_with_what_was_known_of_it() -> None:
    lookup = {"process": {"exe": "/bin/x"}, "authority": "evil.test:443"}
    row = {"subject": "egress", "key": "k", "moment": 1, "time": 0, "lookup": lookup, "call": ""}
    event = event_again(row, {"k": d.connection()}, {})
    assert event is not None and event.moment is Moment.REQUEST
    assert (event.document["process"], event.document["authority"]) == ({"exe": "/bin/x"}, "evil.test:443")


def test_an_exchange_that_became_a_call_has_its_path_as_it_was() -> None:
    row = {"subject": "egress", "key": d.CALL, "moment": 1, "time": 0, "lookup": {}, "call": ""}
    event = event_again(row, {d.CALL: d.call(requestURI="/api/v1/pods?x=1")}, {})
    assert event is not None and event.document["path"] == "/api/v1/pods"


def test_what_is_gone_is_left_out() -> None:
    row = {"subject": "channel", "key": "p", "moment": 3, "time": 0, "lookup": {}, "call": d.CALL}
    assert event_again(row, {d.CALL: d.call()}, {}) is None
    assert event_again(row, {}, {}) is None
