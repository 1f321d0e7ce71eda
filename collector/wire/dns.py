"""What a name server's answer says: the name that was asked for, and the addresses that it leads to (RFC 1035 §4, RFC 3596).

Only an address at the end of the CNAMEs that begin at the question counts. Whatever is cut, too much or odd ends the reading: what was
understood before it stays. No answer raises anything.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

HEADER = struct.Struct(">HHHHHH")
RECORD = struct.Struct(">HHIH")  # type, class, TTL, size of the data
A, CNAME, AAAA, INTERNET = 1, 5, 28, 1
IS_ANSWER, OPCODE, RCODE = 0x8000, 0x7800, 0x000F
MESSAGE_LIMIT = 65535
RECORD_LIMIT = 256
NAME_LIMIT = 253
LABEL_LIMIT = 63
POINTER, JUMP_LIMIT = 0xC0, 32
TTL_LIMIT = 2**31 - 1  # RFC 2181 §8: with the highest bit set it is 0


class _OddError(Exception):
    """It can't be read from here on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`name`: asked for, in lower case, without the last dot. `addresses`: as in a connection, without port. `ttl`: the shortest, in s."""

    name: str
    addresses: tuple[str, ...]
    ttl: int


def read_answer(message: bytes) -> Answer | None:
    """The answer to one question; None where it leads to no address or is none."""
    try:
        name, at, count = _question(message)
    except _OddError:
        return None
    leading, addresses, ttls = {name}, dict[str, None](), [TTL_LIMIT]
    for record in _records(message, at, min(count, RECORD_LIMIT)):
        if record.owner not in leading:
            continue
        ttls.append(record.ttl)
        if record.alias:
            leading.add(record.alias)
        else:
            addresses[record.address] = None
    return Answer(name, tuple(addresses), min(ttls)) if addresses else None


@dataclass(frozen=True, slots=True)
class _Record:
    """Of a host: another name (`alias`) or an address."""

    owner: str
    ttl: int
    alias: str = ""
    address: str = ""


def _question(message: bytes) -> tuple[str, int, int]:
    """Name, place of the first record, number of records."""
    if not HEADER.size <= len(message) <= MESSAGE_LIMIT:
        raise _OddError
    _id, flags, questions, answers, _, _ = HEADER.unpack_from(message)
    if not flags & IS_ANSWER or flags & (OPCODE | RCODE) or questions != 1:
        raise _OddError
    name, at = _name(message, HEADER.size)
    if not name or at + 4 > len(message):
        raise _OddError
    return name, at + 4, answers


def _records(message: bytes, at: int, count: int) -> Iterator[_Record]:
    """Those that name or give an address, in order, as far as they can be read."""
    for _ in range(count):
        try:
            owner, at = _name(message, at)
            kind, group, ttl, size = _fields(message, at)
        except _OddError:
            return
        at += RECORD.size
        if at + size > len(message):
            return
        if owner and group == INTERNET and (record := _record(message, at, (kind, size), _Record(owner, ttl))):
            yield record
        at += size


def _fields(message: bytes, at: int) -> tuple[int, int, int, int]:
    if at + RECORD.size > len(message):
        raise _OddError
    kind, group, ttl, size = RECORD.unpack_from(message, at)
    return kind, group, 0 if ttl > TTL_LIMIT else ttl, size


def _record(message: bytes, at: int, shape: tuple[int, int], begun: _Record) -> _Record | None:
    """`shape`: type, and size of the data."""
    kind, _size = shape
    if shape == (A, 4):
        return replace(begun, address=str(IPv4Address(message[at : at + 4])))
    if shape == (AAAA, 16):
        return replace(begun, address=f"[{IPv6Address(message[at : at + 16])}]")
    return _alias(message, at, begun) if kind == CNAME else None


def _alias(message: bytes, at: int, begun: _Record) -> _Record | None:
    try:
        alias, _end = _name(message, at)
    except _OddError:
        return None
    return replace(begun, alias=alias) if alias else None


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and the place behind it. "" for the root, and for what is no host's name: it is printed."""
    labels, end, jumps = list[bytes](), 0, 0
    while (size := _byte(message, at)) != 0:
        if size & POINTER == POINTER:
            end, at, jumps = end or at + 2, (size & ~POINTER) << 8 | _byte(message, at + 1), jumps + 1
        elif size > LABEL_LIMIT:
            raise _OddError
        else:
            labels.append(message[at + 1 : at + 1 + size])
            at += 1 + size
        if jumps > JUMP_LIMIT or sum(map(len, labels)) + len(labels) > NAME_LIMIT + 1:
            raise _OddError
    return _host(labels), end or at + 1


def _byte(message: bytes, at: int) -> int:
    if at >= len(message):
        raise _OddError
    return message[at]


def _host(labels: list[bytes]) -> str:
    text = b".".join(labels).decode("latin-1").lower()
    is_plain = all(letter.isascii() and (letter.isalnum() or letter in "-_.*") for letter in text)
    return text if is_plain and b"." not in b"".join(labels) else ""
