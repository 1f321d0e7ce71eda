from dataclasses import fields

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    KINDS,
    Bound,
    BreakGlass,
    Chunk,
    Connection,
    Direction,
    Hold,
    Loss,
    NameAnswer,
    Note,
    Outcome,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamClosed,
    StreamOpened,
    Unknown,
    Withheld,
    pack,
    unpack,
)

SESSION, PROCESS, STREAM = SessionId("s"), ProcessId("p"), StreamId("t")
ONE_OF_EACH: list[Record] = [
    SessionStarted(
        *(SESSION, "run", 1, "me", ("kubectl", "get"), "/", "node", ("api:6443",), {"a": "b"}, ("kind: Policy",)),
        *("agents", "coder", "u", "main", "c0ffee", "i:1", "sa", "Job/coder", "kata"),
    ),
    SessionEnded(SESSION, 2, 137),
    ProcessSeen(PROCESS, SESSION, 3, 42, "/bin/x", ("x",), "/", 0, ProcessId("q"), True),
    ProcessEnded(PROCESS, 4, 1),
    StreamOpened(STREAM, PROCESS, SESSION, 5, "go", 2**63),
    Bound(STREAM, 6, 7, "a:1", "b:2", SESSION, True),
    Chunk(STREAM, Direction.IN, 8, b"\x00\xff", 9),
    Loss(STREAM, Direction.OUT, 10, 11, 12, "ring full"),
    StreamClosed(STREAM, 13, 14, 15),
    Hold("h", STREAM, Direction.OUT, 16, 17, 18),
    Outcome("h", "pass", 19, "done", b"\x01"),
    Note(SESSION, 20, "agent", "text", False),
    BreakGlass("g1", "n1", 20, 900, "unix:root", "deploys hang", 30),
    Withheld(STREAM, Direction.IN, 8, 9, 10),
    Connection(
        *(ConnectionId("c"), SESSION, PROCESS, 21, 22, "a:1", "b:2", "tcp", "name", "TLS 1.3"),
        *(23, 24, 25, 26, 27, 28, 29, "complete", "", "NSS", 30),
    ),
    NameAnswer(ConnectionId("c"), SESSION, 31, 32, 33, b"\x01", "udp"),
]


def test_every_kind_comes_back_as_it_was() -> None:
    assert list(unpack(pack(ONE_OF_EACH))) == ONE_OF_EACH
    assert {type(record) for record in ONE_OF_EACH} == set(KINDS.values())


def test_numbers_of_kinds_never_change() -> None:
    assert [cls.__name__ for cls in KINDS.values()] == [type(record).__name__ for record in ONE_OF_EACH]
    assert list(KINDS) == [*range(1, 15), 20, 21]


def test_a_newer_record_with_more_fields_is_read_by_an_older_reader() -> None:
    assert list(unpack(msgpack.packb([2, "s", 3, 4, "", "", "new"]))) == [SessionEnded(SESSION, 3, 4)]


def test_an_older_record_with_fewer_fields_gets_the_defaults() -> None:
    assert list(unpack(msgpack.packb([2, "s", 3]))) == [SessionEnded(SESSION, 3, -1)]


def test_an_unknown_kind_is_counted_not_refused() -> None:
    assert list(unpack(msgpack.packb([99, 1]) + msgpack.packb(["x"]))) == [Unknown(99), Unknown(-1)]


@pytest.mark.parametrize("array", [[7], [7, "t", 9, 0, b"", 1], [1]])
def test_a_record_that_lacks_something_harms_no_other(array: list[object]) -> None:
    found = list(unpack(msgpack.packb(array) + pack(ONE_OF_EACH[:1])))
    assert isinstance(found[0], Unknown) and found[0].kind == array[0] and "lacks" in found[0].reason
    assert found[1:] == ONE_OF_EACH[:1]


def test_text_that_is_not_unicode_is_written_as_escapes() -> None:
    assert list(unpack(pack([Note(SESSION, 1, "x", "a\udcffb")]))) == [Note(SESSION, 1, "x", "a\\udcffb")]


@pytest.mark.parametrize("array", [5, [], None, {}])
def test_what_is_no_record_is_a_value_error(array: object) -> None:
    with pytest.raises(ValueError):
        list(unpack(msgpack.packb(array)))


def test_records_cut_off_are_a_value_error_after_the_whole_ones() -> None:
    found = []
    with pytest.raises(ValueError, match="cut off"):
        for record in unpack(pack(ONE_OF_EACH)[:-1]):
            found.append(record)
    assert found == ONE_OF_EACH[:-1]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_records_or_a_value_error(data: bytes) -> None:
    try:
        assert all(isinstance(record, Record) for record in unpack(data))
    except ValueError:
        return


def test_added_fields_have_defaults() -> None:
    for cls in KINDS.values():
        optional = [field.default is not field.default_factory for field in fields(cls)]
        assert optional == sorted(optional)
