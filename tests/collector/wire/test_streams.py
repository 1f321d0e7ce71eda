import msgpack

from chaperone.collector.wire.events import Data, Reset, Response
from chaperone.collector.wire.streams import EARLY, Stream, weight
from chaperone.proto.records import Direction


def early() -> Stream:
    return Stream(1, EARLY, [True, True])


def data(position: int, content: bytes, time: int = 1) -> Data:
    return Data(EARLY, Direction.IN, position, time, content, len(content))


def test_single_bytes_that_wait_are_joined() -> None:
    stream = early()
    cost = sum(stream.wait(data(position, b"x")) for position in range(10_000))
    assert cost < 10_000 + 300
    assert stream.waited() == [data(0, b"x" * 10_000)]
    assert stream.waited() == []


def test_pieces_of_other_places_or_times_stay_apart() -> None:
    stream = early()
    pieces = [data(0, b"a"), data(1, b"b", time=2), data(9, b"c", time=2)]
    for piece in pieces:
        stream.wait(piece)
    assert stream.waited() == pieces


def test_what_waits_keeps_its_order_and_its_weight() -> None:
    stream = early()
    head = Response(EARLY, 0, 1, 200, (), 20)
    events = [head, data(20, b"a"), data(21, b"b")]
    cost = sum(map(stream.wait, events))
    assert stream.waited() == [head, data(20, b"ab")]
    assert cost == weight(head) + weight(data(20, b"ab"))


def test_a_stream_is_restored_with_its_reset() -> None:
    stream = Stream(7, 100, [False, True], answered=True, length=[3, None], passed=[3, 5])
    stream.reset = Reset(100, Direction.OUT, 50, 9, 8, 13)
    assert Stream.restore(msgpack.unpackb(msgpack.packb(stream.mark()))) == stream
