"""The names by which addresses are known: for how long, over which transport, and how many at most."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.name_server import A, message, record

from chaperone.collector.pipeline import names as module
from chaperone.collector.pipeline.names import SHORTEST_NS, Names
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId
from chaperone.proto.records import Connection, NameAnswer

SESSION, SERVER, ADDRESS = SessionId("s"), ConnectionId("n"), "192.0.2.7"
SECOND = 10**9


def answer(name: str, ttl: int = 1, address: str = ADDRESS) -> bytes:
    raw = bytes(map(int, address.split(".")))
    return message(name, A, [record(name, A, raw, ttl)])


def datagram(name: str, time: int = 1, ttl: int = 1, address: str = ADDRESS) -> NameAnswer:
    data = answer(name, ttl, address)
    return NameAnswer(SERVER, SESSION, time, 0, len(data), data, "udp")


def connected(time: int, id_: str = "c", address: str = ADDRESS) -> Connection:
    return Connection(ConnectionId(id_), SESSION, ProcessId("p"), time, 9, "a:1", f"{address}:443", "tcp")


def told(*answers: NameAnswer) -> Names:
    names = Names()
    for one in answers:
        names.answered(one)
    return names


def test_a_name_is_known_as_long_as_it_lives_and_at_least_for_a_moment() -> None:
    long = told(datagram("api.test", 1, 100))
    assert long.of(connected(1 + 100 * SECOND)) == ("api.test",)
    assert long.of(connected(2 + 100 * SECOND, "d")) == ()
    short = told(datagram("api.test", 1, 0))
    assert short.of(connected(1 + SHORTEST_NS)) == ("api.test",)
    assert short.of(connected(2 + SHORTEST_NS, "d")) == ()


def test_the_newest_name_is_the_first() -> None:
    names = told(datagram("old.test", 1), datagram("new.test", 2))
    assert names.of(connected(3)) == ("new.test", "old.test")
    names.answered(datagram("old.test", 3))
    assert names.of(connected(4, "d")) == ("old.test", "new.test")


def test_a_connection_keeps_the_names_of_its_begin() -> None:
    names, begun = told(datagram("api.test", 1)), connected(2)
    assert names.of(begun) == ("api.test",)
    names.answered(datagram("other.test", 3))
    assert names.of(replace(begun, known=4)) == ("api.test",)
    assert names.of(replace(begun, ended=5)) == ("api.test",)
    assert names._given == {}


def pieces(data: bytes, cuts: Sequence[int]) -> list[NameAnswer]:
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    spans = itertools.pairwise(places)
    return [NameAnswer(SERVER, SESSION, 1, begin, end - begin, data[begin:end], "tcp") for begin, end in spans]


def framed(*messages: bytes) -> bytes:
    return b"".join(len(one).to_bytes(2, "big") + one for one in messages)


@given(st.lists(st.integers(0, 10**6), max_size=8))
def test_tcp_may_cut_messages_anywhere(cuts: list[int]) -> None:
    names = told(*pieces(framed(answer("one.test"), answer("two.test")), cuts))
    assert names.of(connected(2)) == ("two.test", "one.test")


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=8), st.integers(0, 7))
def test_behind_a_hole_nothing_is_taken(cuts: list[int], missing: int) -> None:
    sent = pieces(framed(answer("one.test"), answer("two.test")), cuts)
    kept = [one for number, one in enumerate(sent) if number != missing % len(sent)]
    whole = sum(one.size for one in sent[: missing % len(sent)])
    known = [name for name, end in (("one.test", 2 + len(answer("one.test"))),) if whole >= end]
    assert told(*kept).of(connected(2)) == tuple(known)


def test_a_piece_that_was_cut_ends_the_connections_reading() -> None:
    data = framed(answer("one.test"))
    names = told(NameAnswer(SERVER, SESSION, 1, 0, len(data) + 9, data, "tcp"))
    assert names.of(connected(2)) == ("one.test",)
    names.answered(NameAnswer(SERVER, SESSION, 1, len(data) + 9, len(data), framed(answer("two.test")), "tcp"))
    assert names.of(connected(2, "d")) == ("one.test",)


def test_everything_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("ADDRESSES", "NAMES", "UNFINISHED", "OPEN"):
        monkeypatch.setattr(module, limit, 2)
    names = told(*(datagram(f"{name}.test", 1, 1, f"192.0.2.{last}") for last in range(5) for name in "abc"))
    assert [len(known) for known in names._known.values()] == [2, 2]
    for number in range(5):
        names.answered(NameAnswer(ConnectionId(f"t{number}"), SESSION, 1, 0, 1, b"\0", "tcp"))
        names.of(connected(2, f"c{number}"))
    assert (len(names._unfinished), len(names._given)) == (2, 2)


def test_what_is_known_goes_on_in_another_collector() -> None:
    names = told(datagram("old.test", 1, 100), datagram("new.test", 2, 100))
    saved = names.saved()
    assert saved is not None
    assert names.saved() is None
    assert Names.recalled(saved).of(connected(3)) == ("new.test", "old.test")
    assert Names.recalled(None).of(connected(3)) == ()


def test_any_bytes_harm_nobody() -> None:
    names = told(NameAnswer(SERVER, SESSION, 1, 0, 3, b"abc", "udp"), NameAnswer(SERVER, SESSION, 1, 7, 3, b"abc", "tcp"))
    assert names.of(connected(2)) == ()
