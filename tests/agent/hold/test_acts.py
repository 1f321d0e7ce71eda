import pytest
from support.enforced import NONE, begun, client, enforced, until
from support.tls_server import patterned

from chaperone.agent.hold.lane import NEVER, Piece
from chaperone.agent.hold.orders import Name, Order
from chaperone.proto.records import Direction, Hold
from chaperone.proto.refusals import Refusal

pytestmark = pytest.mark.kernel
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'


def test_a_request_is_gathered_over_writes(tracer, server):
    def decide(hold: Hold) -> Order:
        if hold.position + hold.size != 4:
            return Order(hold.hold, Name.SKIP)
        return Order(hold.hold, Name.WRITE, (Piece(0, 4, "", NONE),), 4)

    program = 'for c in (b"0", b" ", b"5\\n"): tls.sendall(c)\nprint(len(tls.recv(5)), flush=True)'
    with enforced(tracer) as it:
        _, said = it.run(client(server, program), decide)
        assert said == "5\n"
        assert it.outcomes() == ["skip", "skip", "write"]
        assert server.finished()[0][0] == it.recorded(Direction.OUT) == b"0 5\n"


def test_what_was_gathered_leaves_behind_what_overtook_it(tracer, server):
    def decide(hold: Hold) -> Order:
        if hold.position == 3:
            return Order(hold.hold, Name.WRITE, (Piece(0, 1, "", NONE), Piece(3, 4, "", NONE)), 4)
        return Order(hold.hold, Name.PASS if hold.position else Name.SKIP)

    program = 'for c in (b"5", b"0 ", b"\\n"): tls.sendall(c)\nprint(len(tls.recv(5)), flush=True)'
    with enforced(tracer) as it:
        _, said = it.run(client(server, program), decide)
        assert (said, it.outcomes()) == ("5\n", ["skip", "pass", "write"])
        assert server.finished()[0][0] == b"0 5\n"


@pytest.mark.parametrize("size", [100, 100_000, 3_000_000])
def test_other_bytes_of_another_length_leave_and_the_caller_reads_its_own_length(tracer, server, size):
    program = 'print(tls.send(b"0 9\\n"), len(tls.recv(9)), flush=True)\ntls.sendall(b"0 7\\n")\nprint(len(tls.recv(7)), flush=True)'
    head = b"%d 9\n" % size

    def decide(hold: Hold) -> Order:
        if hold.position:
            return Order(hold.hold, Name.PASS)
        return Order(hold.hold, Name.WRITE, free=head + bytes(size))

    with enforced(tracer) as it:
        _, said = it.run(client(server, program), decide)
        assert said == "4 9\n7\n"
        assert [hold.position for hold in it.asked] == [0, 4]
        assert server.finished()[0][0] == head + bytes(size) + b"0 7\n"
        assert it.recorded(Direction.OUT) == b"0 9\n0 7\n"


# The first connection's server writes, and does not read, until it is read.
BLOCKED = """
import threading, time
tls.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
tls.sendall(b"0 50000000\\n")
time.sleep(0.5)
other = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
thread = threading.Thread(target=tls.sendall, args=[b"A" * 700000])
thread.start()
time.sleep(1)
for _ in range(3):
    other.sendall(b"B" * 700000)
    other.recv(5)
left = 50000000 + 5
while left: left -= len(tls.recv(min(left, 65536)))
thread.join()
"""


def test_what_a_call_still_writes_in_anothers_place_stays_as_it_is(tracer, server):
    """However much is replaced in the same process meanwhile."""
    head = b"699991 5\n"

    def decide(hold: Hold) -> Order:
        if hold.size != 700_000:
            return Order(hold.hold, Name.PASS)
        return Order(hold.hold, Name.WRITE, free=head + hold.data[:1].lower() * 699_991)

    with enforced(tracer) as it:
        assert it.run(client(server, BLOCKED), decide)[0] == 0
        assert [out for out, _ in server.finished()] == [b"0 50000000\n" + head + b"a" * 699_991, (head + b"b" * 699_991) * 3]


def test_nothing_is_kept_of_a_write_in_whose_place_as_many_bytes_left(tracer, server):
    """As of each request whose answer is masked: its connection may be open for long, and `let_pass` waits for what is under way."""

    def decide(hold: Hold) -> Order:
        return Order(hold.hold, Name.WRITE, free=b"0 6\n", released=hold.position + hold.size)

    with enforced(tracer) as it, begun(client(server, ASK + "; import time; time.sleep(600)"), it.path) as (_, pid, go):
        it.holds.seize(pid)
        go()
        until(lambda: it.step(decide) >= 0 and it.outcomes() == ["write"])
        until(it.holds.is_quiet)
        [lane] = it.holds.lanes.values()
        assert lane.unfinished is None and lane.size == 0


def test_dropped_bytes_never_leave(tracer, server):
    def decide(hold: Hold) -> Order:
        return Order(hold.hold, Name.PASS) if hold.position else Order(hold.hold, Name.WRITE, (), hold.size)

    with enforced(tracer) as it:
        _, said = it.run(client(server, 'print(tls.send(b"dropped"))\n' + ASK), decide)
        assert said == "7\n5\n" and server.finished()[0][0] == b"0 5\n"


def answering(it, answer):
    """OUT passes; IN is held from 0 on and answered by `answer`."""

    def decide(hold: Hold) -> Order:
        if hold.direction is Direction.OUT and not hold.position:
            it.holds.hold_from(hold.stream, Direction.IN, 0)
        return Order(hold.hold, Name.PASS) if hold.direction is Direction.OUT else answer(hold)

    return decide


@pytest.mark.parametrize("size", [0, 3, 5, 5000])
def test_another_answer_is_read_in_as_many_reads_as_it_takes(tracer, server, size):
    data = bytes(range(1, 251)) * (size // 250 + 1)
    program = 'tls.sendall(b"0 5\\n"); got = b""\nwhile len(got) < %d: got += tls.recv(600)\nprint(got == %r, flush=True)\n'

    def answer(hold: Hold) -> Order:
        if size:
            it.holds.hold_from(hold.stream, Direction.IN, NEVER)
        return Order(hold.hold, Name.ANSWER, free=data[:size]) if size else Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        expected = data[:size] if size else patterned(5)
        _, said = it.run(client(server, program % (len(expected), expected) + ASK), answering(it, answer))
        assert said == "True\n5\n"
        assert it.recorded(Direction.IN) == server.finished()[0][1]


def test_a_read_goes_on_when_only_a_part_has_come(tracer, server):
    program = 'tls.sendall(b"0 5\\n"); tls.sendall(b"0 6\\n"); print(tls.recv(100), flush=True)'

    def answer(hold: Hold) -> Order:
        if hold.position + hold.size < 11:
            return Order(hold.hold, Name.AGAIN)
        return Order(hold.hold, Name.ANSWER, free=b"both")

    with enforced(tracer) as it:
        _, said = it.run(client(server, program), answering(it, answer))
        assert said == "b'both'\n"


def test_a_refusal_is_made_here_and_nothing_that_no_template_makes(tracer, server):
    refusal = Refusal("r-1", "no")

    def decide(hold: Hold) -> Order:
        return Order(hold.hold, Name.WRITE, (Piece(0, hold.size, "http1-harmless", refusal),), hold.size)

    with enforced(tracer) as it:
        _, said = it.run(client(server, 'print(tls.send(b"POST / HTTP/1.1\\r\\n\\r\\n"), tls.recv(12), flush=True)'), decide)
        assert said == "19 b'HTTP/1.1 200'\n"
        assert server.finished()[0][0].startswith(b"GET /healthz HTTP/1.1\r\nHost: chaperone\r\nUser-Agent: chaperone-refusal/r-1\r\n")


@pytest.mark.parametrize("piece", [Piece(0, 99, "", NONE), Piece(0, 4, "http2-malformed", NONE), Piece(0, 4, "anything", NONE)])
def test_an_order_that_cannot_be_done_ends_the_connection(tracer, server, piece):
    with enforced(tracer) as it:
        status, _ = it.run(client(server, ASK), lambda hold: Order(hold.hold, Name.WRITE, (piece,), 4))
        assert status == 1 and it.outcomes() == ["kill"]
        assert server.finished()[0][0] == b""


def test_an_order_for_the_other_direction_ends_the_connection(tracer, server):
    with enforced(tracer) as it:
        status, _ = it.run(client(server, ASK), lambda hold: Order(hold.hold, Name.AGAIN))
        assert status == 1 and it.outcomes() == ["kill"]
