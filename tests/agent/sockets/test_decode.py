from chaperone.agent.sockets.decode import address, flow_of
from chaperone.agent.sockets.layout import (
    AnswerRecord,
    Broken,
    ClosingRecord,
    FlowRecord,
    HelloRecord,
    OpenedRecord,
    SocketKind,
    TiedRecord,
)
from chaperone.agent.sockets.peers import cookie_and_peer, of_peer
from chaperone.agent.sockets.values import Flow, SocketAnswer, SocketClosing, SocketHello, SocketOpened, SocketTied
from chaperone.agent.trace.layout import Head
from chaperone.agent.trace.records import decode
from chaperone.proto.records import Direction


def head(kind: SocketKind) -> Head:
    return Head(time=7, started=6, pid=5, kind=kind, workload=2)


def test_an_opened_socket() -> None:
    raw = OpenedRecord(head=head(SocketKind.OPENED), cookie=9, local_port=40000, remote_port=6443, family=4, protocol=6)
    raw.local[:4], raw.remote[:4] = (10, 0, 0, 1), (10, 0, 0, 2)
    assert decode(bytes(raw)) == SocketOpened(5, 6, 7, 2, 9, "10.0.0.1:40000", "10.0.0.2:6443", "tcp")


def test_a_datagram_sockets_peer_is_part_of_its_name() -> None:
    raw = OpenedRecord(head=head(SocketKind.OPENED), cookie=9, peer=2**32 - 1, quic=1, local_port=1, remote_port=443, family=4, protocol=17)
    opened = decode(bytes(raw))
    assert isinstance(opened, SocketOpened)
    assert (cookie_and_peer(opened.cookie), opened.protocol, opened.quic) == ((9, 2**32 - 1), "udp", 1)
    assert of_peer(9, 0) == 9


def test_an_answer_is_as_long_as_it_was_kept() -> None:
    raw = AnswerRecord(head=head(SocketKind.ANSWER), cookie=9, peer=3, position=100, size=5, kept=2)
    assert decode(bytes(raw) + b"abc") == SocketAnswer(of_peer(9, 3), 7, 100, 5, b"ab")


def test_a_tie_a_hello_and_a_closing() -> None:
    assert decode(bytes(TiedRecord(head(SocketKind.TIED), 1, 2))) == SocketTied(5, 6, 7, 1, 2)
    hello = HelloRecord(head=head(SocketKind.HELLO), cookie=3, position=80, direction=1, kept=2)
    hello.data[:3] = (22, 3, 99)
    assert decode(bytes(hello)) == SocketHello(3, Direction.IN, b"\x16\x03", 7, 80)
    assert decode(bytes(ClosingRecord(head(SocketKind.CLOSING), 4))) == SocketClosing(4, 7)


def test_addresses_are_host_and_port() -> None:
    assert address(bytes([127, 0, 0, 1]) + bytes(12), 80, 4) == "127.0.0.1:80"
    assert address(bytes(15) + b"\x01", 443, 6) == "[::1]:443"


def test_the_ring_of_last_sizes_is_put_in_order() -> None:
    raw = FlowRecord(wire=100, records=12, handshake_records=2, tls=1, broken=Broken.HOLE)
    raw.first[:] = (1, 2, 3, 4, 5, 6, 7, 8)
    raw.last[:] = (9, 10, 3, 4, 5, 6, 7, 8)
    flow = flow_of(raw)
    assert (flow.first, flow.last) == ((1, 2, 3, 4, 5, 6, 7, 8), (3, 4, 5, 6, 7, 8, 9, 10))
    assert (flow.tls, flow.broken) == (True, "packets came out of order across a record's head")
    assert flow_of(FlowRecord()) == Flow()
