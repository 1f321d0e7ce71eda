from chaperone.collector.wire.buffer import Hole, Malformed
from chaperone.collector.wire.resync import http1_request
from chaperone.collector.wire.side import Parser, Side
from chaperone.proto.records import Direction


def pairs(side: Side, found: list[bytes]) -> Parser:
    while True:
        while not side.intake.has(2):
            yield
        found.append(side.intake.take(2))
        if found[-1] == b"!!":
            raise Malformed("no pair")


def started() -> tuple[Side, list[bytes]]:
    side, found = Side(Direction.OUT), list[bytes]()
    side.parser = pairs(side, found)
    return side, found


def test_a_parser_goes_on_until_it_waits() -> None:
    side, found = started()
    side.intake.add(0, b"aabbc", 1)
    assert side.run() is None
    assert found == [b"aa", b"bb"]


def test_what_stops_a_parser_is_returned_and_it_is_gone() -> None:
    side, _ = started()
    side.intake.add(0, b"!!", 1)
    assert isinstance(side.run(), Malformed)
    assert side.parser is None
    assert side.run() is None


def test_a_gap_stops_it_with_a_hole() -> None:
    side, _ = started()
    side.intake.lose(5, 1, "ring full")
    assert side.waits
    assert isinstance(side.run(), Hole)


def test_a_search_goes_on_behind_the_boundary() -> None:
    side, found = started()
    side.search(http1_request, lambda: pairs(side, found))
    side.intake.add(0, b"noise", 1)
    assert side.run() is None
    assert (side.searching, side.missed, side.settled) == (True, 0, 0)
    side.intake.add(5, b"GET / HTTP/1.1\r\nA: b\r\n", 2)
    side.run()
    assert (side.searching, side.border) == (False, 5)
    assert b"".join(found) == b"GET / HTTP/1.1\r\nA: b\r\n"


def test_a_stopped_side_keeps_nothing() -> None:
    side, _ = started()
    side.intake.add(0, b"a", 1)
    side.stop()
    assert (side.intake.held, side.waits, side.settled) == (0, False, 1)
