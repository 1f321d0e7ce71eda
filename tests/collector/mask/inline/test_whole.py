"""Bodies and events that are read once they are whole."""

from chaperone.collector.mask.inline.whole import LIMIT, WholeSpans
from chaperone.collector.wire.compose.spans import Span


def second(data: bytes) -> list[Span]:
    if data == b"bad":
        raise ValueError("it is bad")
    return [Span(1, 2)]


def test_nothing_of_a_body_is_known_before_all_is_here() -> None:
    scanner = WholeSpans(second)
    assert scanner.feed(b"ab") == [] and scanner.settled == 0
    assert scanner.feed(b"cd") == [] and scanner.settled == 0
    assert scanner.finish() == [Span(1, 2)] and scanner.settled == 4 and not scanner.problem


def test_each_event_is_known_once_it_is_here() -> None:
    scanner = WholeSpans(second, is_stream=True)
    assert scanner.feed(b"\0\0\0\3ab") == [] and scanner.settled == 0
    assert scanner.feed(b"c\0\0\0\2xy\0") == [Span(5, 6), Span(12, 13)] and scanner.settled == 13
    assert scanner.finish() == [] and scanner.problem == "it ends too early"


def test_what_cannot_be_read_and_what_is_too_much_is_a_problem() -> None:
    scanner = WholeSpans(second)
    scanner.feed(b"bad")
    scanner.finish()
    assert scanner.problem == "it is bad"
    scanner = WholeSpans(second)
    scanner.feed(b"x" * (LIMIT + 1))
    assert scanner.problem
