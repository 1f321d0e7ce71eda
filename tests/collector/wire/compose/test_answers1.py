from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.compose.answers1 import Http1Answers
from chaperone.collector.wire.compose.leave import leaving
from chaperone.collector.wire.compose.units import FREE, Part
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal

NO = Refusal("id", "no")
GET = b"GET / HTTP/1.1\r\nHost: k\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"


class _Both:
    """Reader and answers, as a composer has them."""

    def __init__(self, asked: int, refused: int | None) -> None:
        self.answers, self.reader, self.position = Http1Answers(), StreamReader(), 0
        self.answers.hear(self.reader.feed(Direction.OUT, 0, GET * asked, 1))
        if refused is not None:
            self.key = refused * len(GET)
            self.answers.await_answer(self.key, NO)

    def read(self, data: bytes) -> tuple[Part, ...]:
        answers = self.answers
        answers.feed(data)
        answers.hear(self.reader.feed(Direction.IN, self.position, data, 1))
        self.position += len(data)
        answers.settle()
        departure = leaving(answers.units, answers.rulings, answers.end)
        answers.units = list(departure.staying)
        answers.settle()
        return departure.parts


def test_the_answer_to_a_refused_request_is_replaced_and_others_are_not() -> None:
    both = _Both(3, refused=1)
    size = len(OK)
    assert both.answers.is_busy
    assert both.read(OK * 3) == (Part(0, size), Part(size, 2 * size, "http1-forbidden", NO), Part(2 * size, 3 * size))
    assert not both.answers.is_busy and both.answers.rulings == {FREE: None}


def test_it_is_delivered_with_the_answers_head_and_the_rest_is_dropped() -> None:
    both = _Both(1, refused=0)
    assert both.read(OK[:-3]) == ()
    assert both.read(OK[-3:-1]) == (Part(0, len(OK) - 1, "http1-forbidden", NO),) and both.answers.is_busy
    assert both.read(OK[-1:]) == () and not both.answers.is_busy


def test_an_interim_answer_to_it_is_dropped_with_it() -> None:
    both = _Both(1, refused=0)
    assert both.read(EARLY) == ()
    assert both.read(OK) == (Part(0, len(EARLY + OK), "http1-forbidden", NO),)


def test_while_nobody_waits_all_is_free() -> None:
    both = _Both(2, refused=None)
    assert both.read(OK + OK[:5]) == (Part(0, len(OK) + 5),) and not both.answers.is_busy
    assert both.answers.border == both.answers.end


def test_one_that_has_its_answer_already_gets_no_other() -> None:
    both = _Both(1, refused=None)
    both.read(OK)
    both.answers.await_answer(0, NO)
    assert not both.answers.is_busy and both.answers.credit(0, 1)


def test_an_answer_that_began_before_its_request_was_refused_stays() -> None:
    both = _Both(1, refused=None)
    assert both.read(OK[:5]) == (Part(0, 5),)
    both.answers.await_answer(0, NO)
    assert both.read(OK[5:]) == (Part(5, len(OK)),) and not both.answers.is_busy


def test_behind_an_upgrade_all_is_free() -> None:
    both = _Both(0, refused=None)
    both.answers.hear(both.reader.feed(Direction.OUT, 0, GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 1))
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert both.read(switch + b"\x81\x01x") == (Part(0, len(switch) + 3),)
    assert both.read(b"\x81") == (Part(len(switch) + 3, len(switch) + 4),) and not both.answers.is_busy
