from dataclasses import replace

from chaperone.collector.wire.compose.answers2 import Http2Answers
from chaperone.collector.wire.compose.leave import leaving
from chaperone.collector.wire.compose.units import FREE, Part
from chaperone.collector.wire.compose.window import Window
from chaperone.proto.refusals import Refusal, frame

NO = Refusal("id", "no", h2_stream=5)
RESET = frame(3, 0, 5, b"\0\0\0\1")
PING = frame(6, 0, 0, b"12345678")
KEY = 100


def _waiting(before: bytes = b"") -> Http2Answers:
    answers = Http2Answers(Window())
    answers.feed(before)
    answers.await_answer(KEY, NO)
    return answers


def _parts(answers: Http2Answers) -> tuple[Part, ...]:
    answers.loosen()
    departure = leaving(answers.units, answers.rulings, answers.end)
    answers.units = list(departure.staying)
    return departure.parts


def test_while_nobody_waits_nothing_is_kept() -> None:
    answers = Http2Answers(Window())
    answers.feed(PING + RESET[:5])
    assert not answers.is_busy and not answers.units and answers.border == answers.end


def test_the_reset_is_replaced_and_then_nobody_waits() -> None:
    answers = _waiting()
    answers.feed(PING + RESET + PING)
    assert answers.is_busy
    assert _parts(answers) == (Part(0, 17), Part(17, 30, "http2-forbidden", NO), Part(30, 47))
    answers.settle()
    assert not answers.is_busy and answers.rulings == {FREE: None}


def test_a_reset_is_replaced_at_its_ninth_byte_and_the_rest_dropped() -> None:
    answers = _waiting()
    answers.feed(RESET[:8])
    assert _parts(answers) == () and answers.border == 0
    answers.feed(RESET[8:10])
    assert _parts(answers) == (Part(0, 10, "http2-forbidden", NO),)
    answers.feed(RESET[10:])
    assert answers.is_busy and _parts(answers) == () and not answers.is_busy


def test_what_was_delivered_before_is_not_delivered_again() -> None:
    torn_payload, torn_head = _waiting(PING[:12]), _waiting(PING[:3])
    for answers, size in ((torn_payload, 12), (torn_head, 3)):
        answers.feed(PING[size:] + RESET)
        assert _parts(answers) == (Part(size, 17), Part(17, 30, "http2-forbidden", NO))


def test_the_beginning_of_a_frame_is_kept_only_while_somebody_waits() -> None:
    answers = _waiting()
    answers.feed(RESET + PING[:4])
    assert _parts(answers) == (Part(0, 13, "http2-forbidden", NO), Part(13, 17))
    answers.feed(PING[4:])
    assert not answers.is_busy
    answers.await_answer(KEY + 1, replace(NO, h2_stream=7))
    answers.feed(RESET)
    assert _parts(answers) == (Part(30, 43),), "of another h2 stream"


def test_a_server_that_ends_the_connection_lets_the_refusal_come_first() -> None:
    answers = _waiting()
    answers.feed(frame(7, 0, 0, b"\0\0\0\3\0\0\0\1"))
    assert _parts(answers) == (Part(0, 0, "http2-forbidden", NO), Part(0, 17)) and not answers.is_busy


def test_one_that_ends_it_over_the_refused_request_lets_it_come_first_too() -> None:
    answers = _waiting()
    answers.feed(frame(7, 0, 0, b"\0\0\0\5\0\0\0\1"))
    assert _parts(answers) == (Part(0, 0, "http2-forbidden", NO), Part(0, 17)) and not answers.is_busy


def test_one_that_will_still_answer_is_waited_for() -> None:
    answers = _waiting()
    answers.feed(frame(7, 0, 0, b"\0\0\0\5\0\0\0\0"))
    assert _parts(answers) == (Part(0, 17),) and answers.is_busy


def test_a_server_that_answers_by_itself_has_answered() -> None:
    answers = _waiting()
    answers.feed(frame(1, 5, 5, b"\x8c") + RESET)
    assert _parts(answers) == (Part(0, 23),) and not answers.is_busy


def test_credit_goes_with_the_answer_while_it_is_not_on_its_way() -> None:
    answers = _waiting()
    assert answers.credit(KEY, 10) and answers.credit(KEY, 5) and not answers.credit(KEY + 1, 5)
    answers.feed(RESET)
    assert not answers.credit(KEY, 1)
    assert _parts(answers) == (Part(0, 13, "http2-forbidden", replace(NO, credit=15)),)


def test_what_the_server_says_of_windows_is_heard() -> None:
    window = Window()
    window.opened(1)
    window.sent(1, 65_535)
    Http2Answers(window).feed(frame(8, 0, 0, b"\0\0\0\1") + frame(8, 0, 1, b"\0\0\0\1"))
    assert not window.is_shut(1)
