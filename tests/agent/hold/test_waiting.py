from chaperone.agent.hold.lane import Lane
from chaperone.agent.hold.waiting import Waiting
from chaperone.agent.trace.layout import StreamKey
from chaperone.agent.trace.values import Site, Tls, TlsHeld
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction


def test_positions_count_what_came_before_the_kernel_looked() -> None:
    held = TlsHeld(Tls(1, 2, 3, 4, "go", 1), Direction.OUT, 5, 10, 6, 1, Site.WRITE, 7)
    assert Waiting(held, StreamId("s"), Lane(StreamKey()), b"", 0).position == 5
    assert Waiting(held, StreamId("s"), Lane(StreamKey(), begin=1), b"", 0).position == 6
