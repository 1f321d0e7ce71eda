"""The life of connections, with a kernel that is a dictionary."""

from dataclasses import replace

import pytest

from chaperone.agent.sockets import connections as module
from chaperone.agent.sockets.connections import QUIET_NS, SETTLE_NS, SUSPECT_NS, Connections, Kernel
from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.peers import of_peer
from chaperone.agent.sockets.suite import Suite
from chaperone.agent.sockets.values import (
    Flow,
    SocketAnswer,
    SocketClosing,
    SocketDenied,
    SocketHello,
    SocketOpened,
    SocketTied,
    SocketValue,
)
from chaperone.agent.workload.lineage import Lineage
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Bound, Chunk, Connection, Direction, NameAnswer, Note, ProcessSeen, Record, StreamOpened

SESSION, PID, STARTED = SessionId("s"), 2**22 + 7, 6
OPENED = SocketOpened(PID, STARTED, 7, 1, 9, "127.0.0.1:4", "127.0.0.1:6443", "tcp")
SPOKEN = Flow(200, 186, 2, 0, 0, (69, 117), (69, 117), True)
ANSWERED = Flow(50, 37, 1, 0, 0, (37,), (37,), True)


class Kept:
    """Connections, their lineage and what the kernel counts."""

    def __init__(self) -> None:
        self.flows: dict[int, tuple[Flow, Flow]] = {9: (SPOKEN, ANSWERED)}
        self.lineage = Lineage("boot", {1: SESSION})
        self.process = ProcessSeen(self.lineage.id_of((PID, STARTED)), SESSION, 1, PID, "/usr/bin/wget")
        self.lineage.living[PID, STARTED] = self.process
        kernel = Kernel(self.flows.get, lambda cookie: self.flows.pop(cookie, None))
        self.connections = Connections(self.lineage, kernel, {SESSION: frozenset({"127.0.0.1:6443"})})

    def take(self, *values: SocketValue) -> list[Record]:
        return [record for value in values for record in self.connections.take(value)]

    def speak(self, out: int = 100) -> None:
        """A stream of that process: so many bytes out, 20 in."""
        opened = StreamOpened(self.lineage.id_of((1, 1)), self.process.process, SESSION, 7, "openssl", 0x10)  # type: ignore[arg-type]
        for record in (opened, *(Chunk(opened.stream, way, 0, bytes(size), 8) for way, size in zip(Direction, (out, 20), strict=True))):
            assert not list(self.connections.ties.saw(record))

    def encrypt(self) -> None:
        self.connections._open[9].suite = Suite("TLS 1.3", 17, 52)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_connection_is_told_at_its_begin_and_counted_after_its_end(kept: Kept) -> None:
    [begun] = kept.take(OPENED)
    assert isinstance(begun, Connection)
    assert (begun.process, begun.remote, begun.ended) == (kept.process.process, "127.0.0.1:6443", 0)
    kept.encrypt()
    kept.speak()
    [bound] = kept.take(SocketTied(PID, STARTED, 8, 0x10, 9))
    assert isinstance(bound, Bound)
    assert (bound.cookie, bound.local, bound.remote) == (9, "127.0.0.1:4", "127.0.0.1:6443")
    assert kept.take(SocketClosing(9, 20)) == []
    assert list(kept.connections.look(20)) == []
    [over] = kept.connections.look(21 + SETTLE_NS)
    assert isinstance(over, Connection)
    assert (over.connection, over.ended, over.app_out, over.captured_in) == (begun.connection, 20, 100, 20)
    assert (over.coverage_out, over.coverage_in) == ("complete", "complete")
    assert kept.flows == {}


def test_tls_of_a_process_without_streams_is_said_at_once_and_once(kept: Kept) -> None:
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8))
    kept.encrypt()
    assert list(kept.connections.look(100)) == []
    [known, note] = kept.connections.look(101 + SUSPECT_NS)
    assert isinstance(known, Connection)
    assert (known.ended, known.known) == (0, 101 + SUSPECT_NS)
    assert isinstance(note, Note)
    assert not note.complete
    assert note.text.startswith(f"TLS from an uninstrumented process: /usr/bin/wget (pid {PID}) to 127.0.0.1:6443")
    [over] = kept.connections.end(10**10)
    assert isinstance(over, Connection)
    assert over.coverage_out == "gap: 100 bytes"


@pytest.mark.parametrize(("before", "position", "elsewhere"), [(0, 0, True), (0, 80, False), (80, 0, False)])
def test_what_was_said_before_tls_may_have_been_to_a_proxy(kept: Kept, before: int, position: int, elsewhere: bool) -> None:
    """So a stream on it may lead to the API server, and what is not read of it is missing."""
    for cookie in (9, 10):
        kept.flows[cookie] = (SPOKEN, ANSWERED)
        opened = replace(OPENED, cookie=cookie, remote="10.0.0.1:3128", before=(before, 0))
        kept.take(opened, SocketHello(cookie, Direction.OUT, b"", 8, position))
        kept.connections._open[cookie].suite = Suite("TLS 1.3", 17, 52)
    kept.speak()
    [bound] = kept.take(SocketTied(PID, STARTED, 8, 0x10, 9))
    assert isinstance(bound, Bound)
    assert bound.elsewhere is elsewhere
    list(kept.connections.look(100))
    [note] = [record for record in kept.connections.look(101 + SUSPECT_NS) if isinstance(record, Note)]
    assert note.complete is elsewhere


def test_an_uninstrumented_process_that_is_gone_before_we_look_is_said_at_the_end(kept: Kept) -> None:
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8))
    kept.encrypt()
    kinds = [type(record) for record in kept.connections.end(10)]
    assert kinds == [Connection, Note, Connection]


def test_a_handshake_alone_makes_nobody_a_stranger(kept: Kept) -> None:
    kept.flows[9] = (Flow(200, 69, 1, 0, 0, (69,), (69,), True), Flow())
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8))
    kept.encrypt()
    for time in (100, 10**10):
        assert list(kept.connections.look(time)) == []


def test_a_gap_of_a_process_that_is_captured_is_said_at_its_end(kept: Kept) -> None:
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8))
    kept.encrypt()
    kept.speak(50)
    for time in (100, 10**10):
        assert list(kept.connections.look(time)) == []
    over, note = kept.connections.end(10**10)
    assert isinstance(over, Connection)
    assert isinstance(note, Note)
    assert "100 bytes out and 20 bytes in were carried and not captured" in note.text


def test_another_library_of_a_process_that_is_read_is_said_when_no_stream_can_be_its(kept: Kept) -> None:
    other = replace(OPENED, cookie=10, time=9)
    kept.flows[10] = (SPOKEN, ANSWERED)
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8), other, SocketHello(10, Direction.OUT, b"", 9))
    for cookie in (9, 10):
        kept.connections._open[cookie].suite = Suite("TLS 1.3", 17, 52)
    kept.speak()
    for time in (100, 101 + SUSPECT_NS):
        assert list(kept.connections.look(time)) == []  # that stream may be of either
    kept.take(SocketTied(PID, STARTED, 8, 0x10, 9))
    known, note = kept.connections.look(102 + SUSPECT_NS)
    assert isinstance(known, Connection) and isinstance(note, Note)
    assert (known.cookie, known.known) == (10, 102 + SUSPECT_NS)
    assert note.text.startswith(f"TLS from an uninstrumented library: /usr/bin/wget (pid {PID}")


def test_a_record_that_left_outside_of_its_thread_is_tied_by_its_size(kept: Kept) -> None:
    kept.take(OPENED, SocketHello(9, Direction.OUT, b"", 8))
    kept.encrypt()
    kept.speak()
    bound, over = kept.connections.end(10)
    assert isinstance(bound, Bound)
    assert isinstance(over, Connection)
    assert (bound.cookie, over.coverage_out, over.coverage_in) == (9, "complete", "complete")


def test_a_udp_socket_is_over_when_it_was_quiet(kept: Kept) -> None:
    kept.flows[9] = (Flow(40), Flow(80))
    kept.take(SocketOpened(PID, STARTED, 7, 1, 9, "10.0.0.1:4", "10.0.0.2:53", "udp"))
    assert list(kept.connections.look(8 + QUIET_NS)) == []
    assert list(kept.connections.look(9 + QUIET_NS)) == []
    [over] = kept.connections.look(9 + 2 * QUIET_NS)
    assert isinstance(over, Connection)
    assert (over.protocol, over.wire_out, over.wire_in, over.coverage_out) == ("udp", 40, 80, "")


def test_peers_without_number_displace_each_other_and_no_tcp(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATAGRAMS", 2)
    kept.take(OPENED)
    peers = [replace(OPENED, cookie=of_peer(9, peer), time=peer, protocol="udp") for peer in range(10, 15)]
    over = [record for record in kept.take(*peers) if isinstance(record, Connection) and record.ended]
    assert [(one.time, one.protocol) for one in over] == [(10, "udp"), (11, "udp"), (12, "udp")]
    assert set(kept.connections._open) == {9, of_peer(9, 13), of_peer(9, 14)}


def test_one_session_with_too_many_connections_loses_its_own_oldest(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    kept.lineage.sessions[2] = SessionId("other")
    kept.flows[10] = (Flow(40), Flow())
    kept.take(replace(OPENED, workload=2, started=8, late=True))
    loud = [replace(OPENED, cookie=cookie, time=cookie) for cookie in range(10, 14)]
    over = [record for record in kept.take(*loud) if isinstance(record, Connection) and record.ended]
    assert [(one.cookie, one.ended, one.wire_out) for one in over] == [(10, 12, 40), (11, 13, 0)]
    assert set(kept.connections._open) == {9, 12, 13}
    kept.take(SocketClosing(12, 20))
    assert [one.cookie for one in kept.connections.look(21 + SETTLE_NS) if isinstance(one, Connection)] == [12]
    assert not [one for one in kept.take(replace(OPENED, cookie=14)) if isinstance(one, Connection) and one.ended]


def test_the_peer_that_was_quiet_longest_goes_first(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DATAGRAMS", 2)
    first, second, third = (replace(OPENED, cookie=of_peer(9, peer), time=peer, protocol="udp") for peer in (10, 11, 12))
    kept.flows[first.cookie] = (Flow(40), Flow())
    kept.take(first, second)
    assert list(kept.connections.look(10 + QUIET_NS)) == []  # the first has moved bytes since
    [over, _begun] = kept.take(third)
    assert isinstance(over, Connection)
    assert over.time == 11


def test_quic_is_said_at_its_first_packet(kept: Kept) -> None:
    begun, note = kept.take(replace(OPENED, protocol="udp", quic=1))
    assert isinstance(begun, Connection) and isinstance(note, Note)
    assert (begun.tls, begun.unread, begun.known) == ("QUIC v1", "QUIC", 7)
    assert not note.complete
    [over] = kept.connections.end(10)
    assert isinstance(over, Connection)
    assert (over.connection, over.unread, over.coverage_in) == (begun.connection, "QUIC", "unproven: QUIC is not read")


def test_what_a_name_server_sent_is_passed_on_with_its_connection(kept: Kept) -> None:
    name = of_peer(9, 5)
    [begun] = kept.take(replace(OPENED, cookie=name, protocol="udp"))
    assert isinstance(begun, Connection)
    assert begun.cookie == 9
    assert kept.take(SocketAnswer(name, 8, 0, 3, b"ab")) == [NameAnswer(begun.connection, SESSION, 8, 0, 3, b"ab", "udp")]
    assert kept.take(SocketAnswer(9, 8, 0, 3, b"ab")) == []


def test_what_the_second_lock_kept_is_said(kept: Kept) -> None:
    kept.take(OPENED)
    [note] = kept.take(SocketDenied(9, 20, 1, Denied.HELLO))
    assert isinstance(note, Note)
    said = "TLS from an uninstrumented process or library was not let begin (uncovered: deny)"
    assert (note.subject, note.text, note.complete) == ("enforcement", f"{said}: /usr/bin/wget (pid {PID}) to 127.0.0.1:6443", True)
    assert kept.take(SocketDenied(10, 20, 1, Denied.BEYOND)) == []


def test_what_is_said_of_an_unknown_socket_is_left_out(kept: Kept) -> None:
    assert kept.take(SocketHello(1, Direction.OUT, b"", 8), SocketClosing(1, 9)) == []


def test_an_object_begins_with_its_connection_if_that_was_seen_from_the_first_packet(kept: Kept) -> None:
    process = kept.process.process
    kept.take(OPENED, replace(OPENED, cookie=10, late=True), SocketTied(PID, STARTED, 8, 0x10, 9), SocketTied(PID, STARTED, 8, 0x20, 10))
    assert [kept.connections.has_begun(process, handle) for handle in (0x10, 0x20, 0x30)] == [True, False, False]


def test_all_connections_of_a_process_are_known_from_the_first_packet_or_not(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    has: list[set[int]] = [set(), {9}, {9, 10}, {9, 11}]
    monkeypatch.setattr("chaperone.agent.sockets.connections.tcp_of", lambda number: has[number])
    kept.take(OPENED, replace(OPENED, cookie=10, late=True))
    assert [kept.connections.knows_all_of(number) for number in range(4)] == [False, True, False, False]


def test_of_a_process_that_is_gone_no_connection_is_known(kept: Kept) -> None:
    assert not kept.connections.knows_all_of(2**22 + 1)
