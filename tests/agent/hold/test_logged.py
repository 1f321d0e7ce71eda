"""What the agent's log has of orders."""

import logging

import pytest

from chaperone.agent.hold.logged import LOG, log_wait, logged
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold, Outcome

STREAM = StreamId("57" * 16)


def test_an_outcome_is_logged_with_its_digest_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    outcome = Outcome("h", "write", 5, "", b"\x01\xab", STREAM)
    assert logged(outcome) is outcome
    (record,) = caplog.records
    assert {name: getattr(record, name) for name in ("hold", "order", "stream", "digest")} == {
        "hold": "h",
        "order": "write",
        "stream": STREAM,
        "digest": "01ab",
    }
    assert not hasattr(record, "result"), "there is none to tell"


def test_a_hold_is_not_logged_and_neither_is_anything_that_nobody_wants_to_know(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    hold = Hold("h", STREAM, Direction.OUT, 0, 1, 5, b"s3cret")
    assert logged(hold) is hold
    caplog.set_level(logging.WARNING, LOG.name)
    logged(Outcome("h", "pass", 5))
    log_wait("h")
    assert caplog.records == []


def test_that_somebody_is_asked_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    log_wait("h")
    assert [(record.hold, record.order) for record in caplog.records] == [("h", "wait")]  # type: ignore[attr-defined]
