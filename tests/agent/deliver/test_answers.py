from chaperone.agent.deliver.answers import Answers
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction, Hold, StreamClosed

OUT, IN = Direction.OUT, Direction.IN


def hold(stream: str, direction: Direction = OUT) -> Hold:
    return Hold("h", StreamId(stream), direction, 0, 3, 1, b"GET")


def chunk(stream: str, direction: Direction = IN) -> Chunk:
    return Chunk(StreamId(stream), direction, 0, b"HTTP", 2)


def test_the_first_bytes_behind_a_held_write_begin_an_answer() -> None:
    answers = Answers()
    said = [answers.begins(record) for record in (chunk("a"), hold("a"), chunk("a", OUT), chunk("b"), chunk("a"), chunk("a"))]
    assert said == [False, False, False, False, True, False]


def test_a_held_read_awaits_nothing_and_what_is_closed_neither() -> None:
    answers = Answers()
    records = (hold("a", IN), chunk("a"), hold("b"), StreamClosed(StreamId("b"), 3, 3, 0), chunk("b"))
    assert not any(answers.begins(record) for record in records)
