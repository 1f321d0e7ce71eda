"""What one held stream says of its holds."""

from support.holding import names

from chaperone.collector.pipeline.behind import Fed
from chaperone.collector.pipeline.held import HeldStream
from chaperone.collector.wire.choose import StreamReader
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def written(held: HeldStream, *pieces: bytes) -> None:
    reader, position = StreamReader(), 0
    for number, data in enumerate(pieces):
        fed = Fed(Direction.OUT, position, len(data), 1, data)
        held.heard(fed, reader.feed(Direction.OUT, position, data, 1), held=True)
        held.add(Hold(f"h{number}", StreamId("s"), Direction.OUT, position, len(data), 1, data))
        position += len(data)


def test_each_write_has_one_order() -> None:
    held = HeldStream(StreamId("s"))
    written(held, GET[:5], GET[5:])
    assert [asked.key for asked in held.composer.due()] == [0]
    held.composer.rule(0, None)
    told = list(held.write_orders())
    assert names(told) == ["write", "skip"] or [each.order.hold for each in told] == ["h0", "h1"]
    assert list(held.write_orders()) == []


def test_a_hold_that_is_dropped_has_none() -> None:
    held = HeldStream(StreamId("s"))
    written(held, GET)
    assert held.drop("h0") and not held.drop("h0")
    assert list(held.write_orders()) == []


def test_a_read_waits_for_its_bytes() -> None:
    held = HeldStream(StreamId("s"))
    written(held, GET)
    held.add(Hold("r", StreamId("s"), Direction.IN, 0, 5, 1))
    assert list(held.read_orders()) == []
    held.heard(Fed(Direction.IN, 0, 5, 1, b"HTTP/"), [], held=True)
    assert names(list(held.read_orders())) == ["pass"]


def test_what_is_missing_or_cannot_be_read_breaks_it() -> None:
    held = HeldStream(StreamId("s"))
    held.heard(Fed(Direction.OUT, 0, 5, 1, None), [], held=False)
    assert held.broken == "bytes are missing"
    other = HeldStream(StreamId("s"))
    other.failed()
    assert other.broken
