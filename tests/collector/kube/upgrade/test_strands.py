"""SPDY strands of exec, attach and port-forward."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.channel_events import EXEC, FORWARD, IN, OUT, opened, reset, strand

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.upgrade.asked import asked
from chaperone.collector.kube.upgrade.command import Command
from chaperone.collector.kube.upgrade.strands import NAMED_BY_NUMBER, PENDING_EVENTS, PENDING_LIMIT, STRAND_LIMIT, Strands
from chaperone.collector.wire.events import StrandOpened


def strands(uri: str = EXEC) -> Strands:
    return Strands(asked(uri), Command())


def names(pieces: list[Piece]) -> list[tuple[str, bytes]]:
    return [(piece.channel, piece.body.data) for piece in pieces]


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_strand_of_a_command_is_named_by_its_type(name: str) -> None:
    one = strands()
    one.open(opened(1, streamtype=name))
    assert names(one.take(strand(1, b"x"))) == [(name, b"x")]
    assert one.take(strand(1, b"", end=True)) == []


def test_a_forwarded_connection_is_named_by_port_and_request() -> None:
    one = strands(FORWARD)
    one.open(opened(1, streamtype="error", port="8000", requestid="4"))
    one.open(opened(3, streamtype="data", port="8000", requestid="4"))
    assert names(one.take(strand(3, b"GET", OUT)) + one.take(strand(1, b"refused"))) == [
        ("port/8000/4", b"GET"),
        ("port/8000/4/error", b"refused"),
    ]


def test_without_a_request_id_pairs_are_counted() -> None:
    one = strands(FORWARD)
    for number, kind in ((1, "error"), (3, "data"), (5, "error"), (7, "data")):
        one.open(opened(number, streamtype=kind, port="80"))
    assert [names(one.take(strand(number, b"x")))[0][0] for number in (1, 3, 5, 7)] == [
        "port/80/0/error",
        "port/80/0",
        "port/80/1/error",
        "port/80/1",
    ]


@pytest.mark.parametrize(
    "headers", [{"streamtype": "other"}, {"streamtype": "data", "port": "x"}, {"streamtype": "stdin", "port": "80"}, {"a": "b"}]
)
def test_headers_that_say_nothing_known_make_it_unknown(headers: dict[str, str]) -> None:
    one = strands()
    one.open(opened(1, **headers))
    assert names(one.take(strand(1, b"x"))) == [("unknown", b"x")]


def test_what_comes_before_the_opening_waits_for_it() -> None:
    one = strands()
    assert one.take(strand(5, b"early")) == []
    assert one.open(opened(3, streamtype="stdin")) == []
    assert names(one.open(opened(5, streamtype="stdout"))) == [("stdout", b"early")]


@pytest.mark.parametrize(
    ("uri", "number", "name"),
    [
        (EXEC, 1, "error"),
        (EXEC, 3, "stdin"),
        (EXEC, 7, "stderr"),
        (EXEC, 9, "unknown"),
        (EXEC, 2, "unknown"),
        (EXEC + "&tty=true", 7, "resize"),
        (FORWARD, 1, "port/?/0/error"),
        (FORWARD, 3, "port/?/0"),
        (FORWARD, 7, "port/?/1"),
        ("/", 3, "unknown"),
    ],
)
def test_when_headers_are_lost_a_strand_is_named_by_its_number_and_says_so(uri: str, number: int, name: str) -> None:
    one = strands(uri)
    one.blind = True
    (piece,) = one.take(strand(number, b"x", end=True))
    assert piece.channel == name
    assert NAMED_BY_NUMBER in piece.body.ambiguous


def test_a_strand_opened_without_headers_is_named_by_its_number_too() -> None:
    one = strands()
    one.open(StrandOpened(0, OUT, 0, 0, 5, ()))
    (piece,) = one.take(strand(5, b"x"))
    assert (piece.channel, piece.body.ambiguous) == ("stdout", (NAMED_BY_NUMBER,))


def test_the_error_strand_ends_the_command_even_in_plain_text() -> None:
    command = Command()
    one = Strands(asked(EXEC), command)
    one.open(opened(1, streamtype="error"))
    assert one.take(strand(1, b"exit code 9")) == []
    assert names(one.take(reset(1))) == [("error", b"exit code 9")]
    assert command.exit == Exit(9, "an error in plain text")


def test_what_waits_is_limited_in_bytes_and_in_number() -> None:
    one = strands()
    assert one.take(strand(5, bytes(PENDING_LIMIT))) == []
    assert len(one.take(strand(5, b"x"))) == 2
    many = strands()
    pieces = [piece for _ in range(PENDING_EVENTS + 1) for piece in many.take(strand(5, b"x"))]
    assert len(pieces) == PENDING_EVENTS + 1


def test_a_strand_that_both_sides_ended_is_forgotten_and_names_are_limited() -> None:
    one = strands(FORWARD)
    for number in range(1, 4 * STRAND_LIMIT, 2):
        one.open(opened(number, streamtype="data", port="80", requestid=str(number)))
        one.take(strand(number, b"", IN, end=True))
        one.take(strand(number, b"", OUT, end=True))
    assert not one._names
    for number in range(1, 4 * STRAND_LIMIT, 2):
        one.open(opened(number, streamtype="data", port="80"))
    assert len(one._names) == STRAND_LIMIT


steps = st.lists(
    st.one_of(
        st.builds(strand, st.integers(1, 9), st.binary(max_size=4), st.sampled_from([IN, OUT]), st.booleans()),
        st.builds(lambda number, kind: opened(number, streamtype=kind), st.integers(1, 9), st.sampled_from(["stdin", "stdout", "x"])),
    ),
    max_size=20,
)


@given(steps)
def test_no_order_raises_and_no_byte_is_dropped(events: list[object]) -> None:
    one = strands()
    pieces: list[Piece] = []
    for event in events:
        pieces += one.open(event) if isinstance(event, StrandOpened) else one.take(event)  # type: ignore[arg-type]
    pieces += one.settle() + one._command.close()
    said = b"".join(bytes(event.data) for event in events if not isinstance(event, StrandOpened))  # type: ignore[attr-defined]
    assert sorted(b"".join(piece.body.data for piece in pieces)) == sorted(said)


def test_a_strand_keeps_its_first_name_unless_it_was_guessed() -> None:
    one = strands()
    one.open(opened(3, streamtype="stdin"))
    one.open(opened(3, streamtype="resize"))
    assert names(one.take(strand(3, b"id", OUT))) == [("stdin", b"id")]
    one.open(StrandOpened(0, OUT, 0, 0, 5, ()))
    one.open(opened(5, streamtype="stderr"))
    assert names(one.take(strand(5, b"x"))) == [("stderr", b"x")]


def test_the_servers_bytes_keep_their_order_while_one_strand_waits() -> None:
    one = strands()
    one.open(opened(1, streamtype="stdout"))
    assert one.take(strand(3, b"first")) == []
    assert one.take(strand(1, b"second")) == []
    assert names(one.open(opened(3, streamtype="stderr"))) == [("stderr", b"first"), ("stdout", b"second")]
