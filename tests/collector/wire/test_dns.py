"""Answers made by the book and by chance. glibc and a real resolver's bytes: tests/agent/sockets/test_live_egress.py."""

import itertools
import struct
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.name_server import AAAA, CNAME, A, encoded, message, record

from chaperone.collector.wire.dns import RECORD_LIMIT, Answer, read_answer

# RFC 1035 §4.1.4's compression, by hand: the owner points to the question at 12, the alias's target ends in the question's "test".
COMPRESSED = bytes.fromhex(
    "1234 8180 0001 0003 0000 0000"
    "03617069 0474657374 00 0001 0001"  # api.test A
    "c00c 0005 0001 0000003c 0007 0472656131 c010"  # api.test CNAME real.test (rea1), 60 s
    "c026 0001 0001 0000001e 0004 c0000207"  # that A 192.0.2.7, 30 s
    "c026 0001 0001 0000012c 0004 c0000208".replace(" ", "")
)
LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
HOST = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
V4 = st.ip_addresses(v=4)


def test_aliases_are_followed_through_compressed_names() -> None:
    assert read_answer(COMPRESSED) == Answer("api.test", ("192.0.2.7", "192.0.2.8"), 30)


def test_an_address_of_ipv6_is_written_as_in_a_connection() -> None:
    found = read_answer(message("six.test", AAAA, [record("six.test", AAAA, ip_address("2001:db8::1").packed, 5)]))
    assert found == Answer("six.test", ("[2001:db8::1]",), 5)


def test_upper_case_and_the_case_of_the_answer_are_the_same_name() -> None:
    found = read_answer(message("APi.tEst", A, [record("api.TEST", A, bytes(4))]))
    assert found is not None
    assert found.name == "api.test"


def test_addresses_of_another_name_are_not_taken() -> None:
    stranger = record("bank.test", A, bytes(4))
    assert read_answer(message("evil.test", A, [stranger])) is None
    found = read_answer(message("evil.test", A, [stranger, record("evil.test", A, b"\1\2\3\4")]))
    assert found is not None
    assert found.addresses == ("1.2.3.4",)


@pytest.mark.parametrize("flags", [0x0180, 0x8183, 0x9180], ids=["a query", "an error", "another opcode"])
def test_what_is_no_answer_says_nothing(flags: int) -> None:
    assert read_answer(message("a.test", A, [record("a.test", A, bytes(4))], flags=flags)) is None


@pytest.mark.parametrize("name", ["a b.test", "é.test", "a\x1b[2J.test", "."])
def test_a_name_that_no_host_has_is_not_told(name: str) -> None:
    raw = b"".join(bytes([len(label.encode())]) + label.encode() for label in name.split(".") if label) + b"\0"
    fields = struct.pack(">HHIH", A, 1, 30, 4) + bytes(4)
    head = struct.pack(">HHHHHH", 1, 0x8180, 1, 1, 0, 0)
    assert read_answer(head + raw + struct.pack(">HH", A, 1) + b"\xc0\x0c" + fields) is None


def test_a_ttl_with_the_highest_bit_is_none() -> None:
    found = read_answer(message("a.test", A, [record("a.test", A, bytes(4), ttl=2**31)]))
    assert found is not None
    assert found.ttl == 0


def test_records_beyond_the_limit_are_not_read() -> None:
    records = [record("a.test", A, IPv4Address(number).packed) for number in range(RECORD_LIMIT + 1)]
    found = read_answer(message("a.test", A, records))
    assert found is not None
    assert len(found.addresses) == RECORD_LIMIT


def test_pointers_that_go_round_end() -> None:
    head = struct.pack(">HHHHHH", 1, 0x8180, 1, 1, 0, 0)
    assert read_answer(head + b"\xc0\x0c" + bytes(40)) is None
    assert read_answer(head + b"\x01a\xc0\x0c" + bytes(40)) is None


def test_a_loop_of_aliases_ends() -> None:
    records = [record("a.test", CNAME, encoded("b.test")), record("b.test", CNAME, encoded("a.test")), record("b.test", A, bytes(4))]
    found = read_answer(message("a.test", A, records))
    assert found is not None
    assert found.addresses == ("0.0.0.0",)


@given(HOST, st.lists(HOST, max_size=4), st.lists(V4, min_size=1, max_size=9), st.integers(0, 2**31 - 1))
def test_what_a_server_writes_is_what_is_read(name: str, aliases: list[str], addresses: list[IPv4Address], ttl: int) -> None:
    chain = [name, *aliases]
    records = [record(owner, CNAME, encoded(alias), ttl) for owner, alias in itertools.pairwise(chain)]
    records += [record(chain[-1], A, address.packed, ttl) for address in addresses]
    assert read_answer(message(name, A, records)) == Answer(name, tuple(dict.fromkeys(map(str, addresses))), ttl)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes_are_an_answer_or_none(data: bytes) -> None:
    for message_ in (data, COMPRESSED[:4] + data, COMPRESSED[:26] + data):
        found = read_answer(message_)
        assert found is None or (found.name and found.addresses)


@given(st.integers(0, len(COMPRESSED)), st.integers(0, len(COMPRESSED) - 1), st.integers(0, 255))
def test_a_cut_or_a_changed_byte_harms_nobody(end: int, at: int, value: int) -> None:
    changed = bytearray(COMPRESSED)
    changed[at] = value
    for data in (COMPRESSED[:end], bytes(changed)):
        found = read_answer(data)
        assert found is None or all(letter.isascii() and letter.isprintable() for letter in found.name)


def test_what_was_understood_before_a_cut_stays() -> None:
    found = read_answer(COMPRESSED[:-1])
    assert found == Answer("api.test", ("192.0.2.7",), 30)
