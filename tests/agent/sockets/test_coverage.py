"""Record sizes as real clients and servers made them → what is said of the capture."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.agent.sockets.coverage import Coverage, Plaintext, client_bytes, coverage
from chaperone.agent.sockets.suite import Suite
from chaperone.agent.sockets.values import Flow
from chaperone.proto.records import Direction

NEW, OLD = Suite("TLS 1.3", 17, 52), Suite("TLS 1.2", 24)
FINISHED, TICKETS, ALERT = [69], [250, 250], [19]
OUT, IN = Direction.OUT, Direction.IN


def flow(sizes: list[int], handshake: list[int] | None = None) -> Flow:
    before = handshake or []
    total = sum(sizes) + sum(before)
    return Flow(total, total, len(sizes) + len(before), sum(before), len(before), tuple(sizes[:8]), tuple(sizes[-8:]), True)


def whole(size: int) -> Plaintext:
    return Plaintext(size, size)


def test_a_client_is_complete_to_the_byte() -> None:
    assert coverage(OUT, flow([*FINISHED, 117, 16401]), NEW, whole(100 + 16384)) == Coverage("complete", 100 + 16384)
    assert coverage(OUT, flow([*FINISHED, 117, *ALERT]), NEW, whole(100)) == Coverage("complete", 100)
    assert coverage(OUT, flow([124, 16408]), OLD, whole(100 + 16384)) == Coverage("complete", 100 + 16384)


def test_a_client_certificate_goes_before_the_finished() -> None:
    assert coverage(OUT, flow([900, 281, *FINISHED, 117]), NEW, whole(100)) == Coverage("complete", 100)


def test_a_servers_handshake_and_tickets_are_no_plaintext() -> None:
    sizes = flow([*TICKETS, 37, 3017, *ALERT], [23, 800, 96, 69])
    assert coverage(IN, sizes, NEW, whole(20 + 3000)) == Coverage("complete", 3020)


def test_a_server_that_said_nothing_behind_its_handshake_is_complete() -> None:
    """Its client wrote and went before a ticket came."""
    assert coverage(IN, flow([], [23, 800, 96, 69]), NEW, whole(0)) == Coverage("complete", 0)
    assert client_bytes(flow([], [900]), NEW) == 0


def test_what_was_not_captured_is_a_gap_of_its_size() -> None:
    assert coverage(OUT, flow([*FINISHED, 117, 67]), NEW, Plaintext(150, 100)) == Coverage("gap", 150, 50)
    assert coverage(OUT, flow([*FINISHED, 117, 67]), NEW, Plaintext(100, 100)) == Coverage("gap", 150, 50)
    assert coverage(OUT, flow([*FINISHED, 117]), NEW, Plaintext()) == Coverage("gap", 100, 100)
    assert coverage(IN, flow([*TICKETS, 37, 3017], [900]), NEW, Plaintext(3020, 20)) == Coverage("gap", 3020, 3000)
    assert coverage(IN, flow([37], [900]), NEW, Plaintext(tied=False)) == Coverage("gap", 20, 20)
    assert str(Coverage("gap", 150, 50)) == "gap: 50 bytes"


def test_padded_records_prove_nothing_but_what_they_may_hide() -> None:
    padded = [256 * blocks + 16 for blocks in (1, 1, 1, 3, 1)]  # two tickets, 100 bytes, 600 bytes, an alert
    said = coverage(IN, flow(padded, [300]), NEW, whole(700))
    assert (said.state, said.why) == ("unproven", "records are padded to multiples of 256 bytes")
    assert coverage(IN, flow(padded, [300]), NEW, Plaintext(700, 600)).state == "gap"  # we know that we lost something
    assert coverage(IN, flow(padded, [300]), NEW, Plaintext(700, 700, tied=False)).state == "gap"
    assert coverage(IN, flow([*padded, 256 * 8 + 16], [300]), NEW, whole(700)).state == "gap"  # more than padding
    assert coverage(IN, flow([*padded, 300], [300]), NEW, whole(900)).state == "gap"  # not all of one size


def test_early_data_is_a_gap_of_its_size_and_nothing_is_said_of_the_answer() -> None:
    sizes = flow([317, 21, *FINISHED, 117])  # 300 bytes, EndOfEarlyData, Finished, 100 bytes
    assert coverage(OUT, sizes, NEW, Plaintext(400, 100, early=300)) == Coverage("gap", 400, 300)
    assert coverage(IN, flow([23, 69, 250, 117]), NEW, Plaintext(100, 100, early=300)).state == "unproven"


@pytest.mark.parametrize(
    ("direction", "sizes", "suite", "plain", "why"),
    [
        (IN, flow([*TICKETS, 37, 26], [900]), NEW, whole(20), "9 bytes came last that no read returned"),
        (OUT, flow([*FINISHED, 117, 22]), NEW, whole(100), "keys were updated"),
        (OUT, flow([117, 200]), NEW, whole(283), "the client's Finished was not recognised"),
        (OUT, flow([117]), Suite("TLS 1.2", -1), whole(100), "record sizes of this cipher are not exact (TLS 1.2)"),
        (OUT, flow([*FINISHED, 117]), NEW, whole(101), "1 bytes more went through TLS than were carried"),
        (OUT, Flow(broken="packets were lost"), NEW, whole(101), "packets were lost"),
    ],
)
def test_where_the_arithmetic_is_not_exact_it_is_unproven(
    direction: Direction, sizes: Flow, suite: Suite, plain: Plaintext, why: str
) -> None:
    said = coverage(direction, sizes, suite, plain)
    assert (said.state, said.why, str(said)) == ("unproven", why, f"unproven: {why}")


@settings(max_examples=200)
@given(st.lists(st.integers(60, 16384), min_size=1, max_size=20), st.integers(0, 2), st.data())
def test_any_lost_chunk_is_never_complete(plain: list[int], tickets: int, data: st.DataObject) -> None:
    sizes = flow([*TICKETS[:tickets], *(size + 17 for size in plain)], [900])
    total = sum(plain)
    assert coverage(IN, sizes, NEW, whole(total)).state == "complete"
    cuts = sorted({0, total, *(data.draw(st.integers(0, total)) for _ in range(4))})
    for begin, end in pairwise(cuts):
        said = coverage(IN, sizes, NEW, Plaintext(total, total - (end - begin)))
        assert (said.state, said.gap) == ("gap", end - begin)
