"""What is answered to whom."""

from http import HTTPStatus

from chaperone.agent.health.port import Told
from chaperone.agent.health.report import Report
from chaperone.proto.port import Asked


def told(report: Report, silence_s: float = 0.0) -> Told:
    made = Told()
    made.hear(report)
    made._heard -= silence_s
    return made


GOOD = Report(True, True, "a 1\n")


def test_an_agent_that_says_nothing_stands_still() -> None:
    assert told(GOOD).answer(Asked("/readyz")).status == HTTPStatus.OK
    assert told(GOOD, 20).answer(Asked("/readyz")).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert told(GOOD, 20).answer(Asked("/healthz")).status == HTTPStatus.OK
    assert told(GOOD, 70).answer(Asked("/healthz")).status == HTTPStatus.SERVICE_UNAVAILABLE


def test_before_its_first_word_it_is_not_ready_and_lives() -> None:
    assert Told().answer(Asked("/readyz")).status == HTTPStatus.SERVICE_UNAVAILABLE
    assert Told().answer(Asked("/healthz")).status == HTTPStatus.OK


def test_numbers_are_for_those_who_are_known() -> None:
    assert told(GOOD).answer(Asked("/metrics"))[:2] == (HTTPStatus.FORBIDDEN, b"show a certificate\n")
    assert told(GOOD).answer(Asked("/metrics", is_known=True))[:2] == (HTTPStatus.OK, b"a 1\n")
    assert told(GOOD).answer(Asked("/", is_known=True)).status == HTTPStatus.NOT_FOUND
