from chaperone.collector.pipeline.loose import GRACE_NS, Departures
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold, Outcome

STREAM = StreamId("s")


def after(*orders: str, direction: Direction = Direction.OUT) -> Departures:
    departures = Departures()
    for number, order in enumerate(orders):
        departures.asked(Hold(f"h{number}", STREAM, direction, number, 1, number, b"x"))
        departures.told(Outcome(f"h{number}", order, 100 + number, stream=STREAM))
    return departures


def test_two_writes_that_left_a_while_ago_should_have_been_seen() -> None:
    departures = after("pass", "write")
    assert not departures.is_enough(100 + GRACE_NS) and departures.is_enough(101 + GRACE_NS)


def test_one_is_not_enough_nor_what_did_not_leave() -> None:
    assert not after("pass", "skip", "kill").is_enough(10 * GRACE_NS)


def test_what_was_read_is_no_departure() -> None:
    assert not after("pass", "pass", "pass", direction=Direction.IN).is_enough(10 * GRACE_NS)


def test_an_outcome_of_another_hold_is_none() -> None:
    departures = Departures()
    departures.told(Outcome("other", "pass", 1, stream=STREAM))
    assert departures.times == []
