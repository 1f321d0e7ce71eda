from support.holding import DENY_DELETE, Holding, names

from chaperone.collector.pipeline.latecomers import SPREAD_NS, Latecomers, share
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import ConnectionId, StreamId, stream_id
from chaperone.proto.records import BreakGlass, Chunk, Connection, Direction, Hold, SessionStarted, StreamClosed, StreamOpened

GET = b"GET /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: api:6443\r\n\r\n"
MIDDLE = b"\0\0\x04\0\x01\0\0\0\x07abcd"  # a frame of HTTP/2
COUNT = 40


class Clock:
    def __init__(self) -> None:
        self.now = 1

    def __call__(self) -> int:
        return self.now


class Node:
    """A held session with streams that were there before."""

    def __init__(self, policy: str = DENY_DELETE) -> None:
        self.held, self.clock = Holding(policy), Clock()
        self.held.holds.latecomers = Latecomers(self.clock, self.held.holds.masks)
        self.late = [stream_id(self.held.one.process, 100 + number, 1) for number in range(COUNT)]

    def opened(self, stream: StreamId, late: bool = True) -> None:
        one = self.held.one
        self.held.batch(StreamOpened(stream, one.process, one.session, one.tick(), "go", 9, late=late))

    def write(self, stream: StreamId, position: int, data: bytes) -> list[str]:
        return names(self.held.batch(Hold(f"of {stream}", stream, Direction.OUT, position, len(data), self.held.one.tick(), data)))

    def ends(self) -> dict[str, int]:
        """What ends, and when, as time goes by from deadline to deadline."""
        found: dict[str, int] = {}
        while deadline := self.held.holds.deadline:
            self.clock.now = max(self.clock.now, deadline)
            for told in self.held.look_again():
                assert told.order.kill.target == pb.Kill.CONNECTION and told.order.kill.order and not told.order.hold
                assert told.order.kill.id not in found
                found[told.order.kill.id] = self.clock.now
        return found


def test_late_streams_end_spread_over_half_a_minute() -> None:
    node = Node()
    for stream in node.late[: COUNT // 2]:
        node.opened(stream)
    assert node.held.holds.deadline == 0  # nobody has said that anything is held there
    assert names(node.held.write(GET)) == ["pass"]
    for stream in node.late[COUNT // 2 :]:
        node.opened(stream)
    ends = node.ends()
    assert ends == {stream: 1 + share(stream) for stream in node.late}
    assert max(ends.values()) <= SPREAD_NS and len(set(ends.values())) == COUNT
    assert max(sum(at // 3_000_000_000 == tenth for at in ends.values()) for tenth in range(10)) < COUNT // 3


def test_where_answers_are_masked_they_end_at_once() -> None:
    node = Node('- {name: hide, when: call.resource == "secrets", do: mask, enforce: enforce}')
    node.opened(node.late[0])
    node.held.write(GET)
    node.opened(node.late[1])
    assert {told.order.kill.id for told in node.held.told if told.order.kill.id} == set(node.late[:2])
    assert node.ends() == {}


def test_meanwhile_nothing_that_they_write_leaves() -> None:
    node = Node()
    node.held.write(GET)
    for stream in node.late:
        node.opened(stream)
    assert [node.write(stream, 1, MIDDLE) for stream in node.late[:3]] == [["kill"]] * 3
    node.held.batch(*(StreamClosed(stream, node.held.one.tick(), 1, 1) for stream in node.late[:3]))
    assert set(node.ends()) == set(node.late[3:])


def test_when_a_session_begins_to_be_held_what_wrote_before_is_late() -> None:
    node = Node()
    wrote, silent = node.late[:2]
    for stream in (wrote, silent):
        node.opened(stream, late=False)
    node.held.batch(Chunk(wrote, Direction.OUT, 0, GET, node.held.one.tick()))
    assert node.write(silent, 0, GET) == ["pass"]
    assert list(node.ends()) == [wrote]


def test_a_connection_to_an_api_server_that_was_there_ends_by_its_own_name() -> None:
    node, one = Node(), Holding().one
    node.held.batch(SessionStarted(one.session, "run", 5, apiservers=("10.0.0.1:443",)))
    api, other = "10.0.0.1:443", "10.0.0.2:443"
    for name, remote, before in (("old", api, 9), ("else", other, 9), ("new", api, 0), ("gone", api, 9)):
        node.held.batch(Connection(ConnectionId(name), one.session, one.process, 6, remote=remote, before_out=before))
    node.held.batch(Connection(ConnectionId("gone"), one.session, one.process, 6, remote=api, before_out=9, ended=7))
    node.held.write(GET)
    assert list(node.ends()) == ["old"]


def test_where_the_policy_allows_what_cannot_be_read_they_go_on() -> None:
    allows = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: agents}\nunreadable: allow\nrules:\n"
    node = Node(f"{allows}{DENY_DELETE}")
    node.opened(node.late[0])
    node.held.write(GET)
    node.opened(node.late[1])
    assert node.held.holds.deadline == 0 and node.ends() == {}


def test_nothing_ends_while_the_glass_is_broken_nor_when_the_session_is_over() -> None:
    node = Node()
    node.opened(node.late[0])
    node.held.write(GET)
    node.held.batch(BreakGlass("g", "node", node.held.one.tick(), 10**12, "unix:root", "why"))
    assert node.ends() == {}
    late = Latecomers(Clock())
    late.begin("s", "a", ["x"])
    late.over("s")
    assert (late.deadline, late.is_held("s")) == (0, False)
