from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.compose.requests1 import Http1Requests
from chaperone.collector.wire.compose.units import FAR, Asked, Unit
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal

GET = b"GET / HTTP/1.1\r\nHost: k\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 4\r\n\r\nbody"
EXEC = b"POST /exec HTTP/1.1\r\nHost: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class _Both:
    """Reader and requests, as a composer has them."""

    def __init__(self) -> None:
        self.requests, self.reader, self.positions = Http1Requests(), StreamReader(), [0, 0]

    def feed(self, data: bytes, direction: Direction = Direction.OUT) -> None:
        events = self.reader.feed(direction, self.positions[direction], data, 1)
        self.positions[direction] += len(data)
        if direction is Direction.OUT:
            self.requests.feed(data)
        self.requests.hear(events)


def _fed(*pieces: bytes) -> _Both:
    both = _Both()
    for piece in pieces:
        both.feed(piece)
    return both


def test_requests_lie_side_by_side() -> None:
    requests = _fed(GET + POST + GET[:9]).requests
    ends = len(GET), len(GET) + len(POST)
    assert requests.units == [Unit(0, ends[0], 0, template="http1-harmless"), Unit(*ends, ends[0], template="http1-harmless")]
    assert requests.border == ends[1] and requests.end == ends[1] + 9


def test_empty_lines_before_a_request_are_its_own() -> None:
    assert _fed(b"\r\n" + GET).requests.units == [Unit(0, len(GET) + 2, 2, template="http1-harmless")]


def test_one_is_asked_about_with_its_head_and_whole_with_its_body() -> None:
    both = _fed(POST[:-1])
    assert both.requests.asked() == [Asked(0, False, len(POST) - 1)] and both.requests.units[0].end == FAR
    both.feed(POST[-1:])
    assert both.requests.asked() == [Asked(0, True, len(POST))]
    both.requests.rule(0, None)
    assert not both.requests.asked()


def test_a_client_that_waits_for_100_says_so() -> None:
    [asked] = _fed(b"PUT / HTTP/1.1\r\nHost: k\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n").requests.asked()
    assert asked.expects and not asked.whole


def test_bytes_behind_an_upgrade_wait_for_its_answer() -> None:
    both = _fed(EXEC)
    assert not both.requests.waits, "nothing is behind it"
    both.feed(b"\x81\x80")
    assert both.requests.waits
    both.feed(SWITCH, Direction.IN)
    assert not both.requests.waits and both.requests.unheld == FAR
    both.requests.open(None)
    assert both.requests.units[-1] == Unit(len(EXEC), len(EXEC) + 2)


def test_of_a_channel_only_what_was_judged_may_leave() -> None:
    both = _fed(EXEC)
    both.feed(SWITCH, Direction.IN)
    begin = len(EXEC)
    both.feed(bytes(10))
    both.requests.open(begin)
    assert (both.requests.units[-1].key, both.requests.border) == (0, begin)
    both.requests.open(begin + 4)
    both.requests.open(begin + 4)
    assert (both.requests.units[-1], both.requests.border) == (Unit(begin, begin + 4), begin + 4)
    both.requests.open(None)
    assert (both.requests.units[-1], both.requests.border) == (Unit(begin + 4, begin + 10), begin + 10)
    both.feed(bytes(5))
    both.requests.leave(begin + 15)
    both.requests.open(None)
    assert both.requests.units == [] and both.requests.border == begin + 15


def test_an_upgrade_that_was_refused_by_the_server_is_a_request_like_others() -> None:
    both = _fed(EXEC + GET)
    assert both.requests.waits
    both.feed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Direction.IN)
    assert not both.requests.waits and len(both.requests.units) == 2


def test_what_was_ruled_and_has_left_is_forgotten() -> None:
    requests = _fed(GET).requests
    requests.rule(0, Refusal("id"))
    requests.settle()
    assert 0 in requests.rulings, "it is still here"
    requests.leave(requests.end)
    requests.settle()
    assert 0 not in requests.rulings and requests.number_of(0) == 0
