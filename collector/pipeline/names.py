"""By which name a workload knows an address: what name servers answered it, for as long as they said.

One of each session. A program may use an address somewhat longer than its time to live, and always does so for a moment: SHORTEST.
Memory: ADDRESSES, each with the last NAMES names, and what came of TCP answers that are not whole yet. The last SAVED addresses outlive
a collector, as marks: sealed, since nobody has looked for secrets in these names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import msgpack

from chaperone.collector.wire.dns import MESSAGE_LIMIT, read_answer
from chaperone.proto.ids import ConnectionId
from chaperone.proto.records import Connection, NameAnswer

SHORTEST_NS, LONGEST_NS = 60 * 10**9, 86_400 * 10**9
ADDRESSES, NAMES = 10_000, 4
SAVED = 256
UNFINISHED = 64  # TCP connections to name servers at once
PREFIX = 2  # RFC 1035 §4.2.2: the size of a message on TCP
OPEN = 65536  # connections whose names are kept until they are over


@dataclass(slots=True)
class _Unfinished:
    """Of a TCP connection: the next byte's position, and what is no whole message yet."""

    position: int = 0
    data: bytearray = field(default_factory=bytearray)


class Names:
    """Told what name servers sent, asked about connections."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}  # address → name → until; in both the newest last
        self._unfinished: dict[ConnectionId, _Unfinished] = {}
        self._given: dict[ConnectionId, tuple[str, ...]] = {}
        self._is_changed = False

    @classmethod
    def recalled(cls, saved: bytes | None) -> Self:
        """As an earlier collector knew them; None: it knew none."""
        names = cls()
        if saved is not None:
            names._known = {address: dict(known) for address, known in msgpack.unpackb(saved)}
        return names

    def saved(self) -> bytes | None:
        """What is known, if that is more than at the last call."""
        if not self._is_changed:
            return None
        self._is_changed = False
        newest = list(self._known.items())[-SAVED:]
        return bytes(msgpack.packb([[address, list(known.items())] for address, known in newest]))

    def answered(self, record: NameAnswer) -> None:
        """A datagram, or a piece of a TCP connection."""
        for message in [record.data] if record.protocol == "udp" else self._messages(record):
            if answer := read_answer(message):
                until = record.time + min(max(answer.ttl * 10**9, SHORTEST_NS), LONGEST_NS)
                for address in answer.addresses:
                    self._learn(address, answer.name, until)

    def of(self, connection: Connection) -> tuple[str, ...]:
        """The names that were asked for to get to a connection's address, the newest first: as they were when it began."""
        given = self._given.pop(connection.connection, None)
        if given is None:
            given = self._at(connection.remote.rpartition(":")[0], connection.time)
        if not connection.ended and len(self._given) < OPEN:
            self._given[connection.connection] = given
        if connection.ended:
            self._unfinished.pop(connection.connection, None)
        return given

    def _at(self, address: str, time: int) -> tuple[str, ...]:
        return tuple(name for name, until in reversed(self._known.get(address, {}).items()) if until >= time)

    def _learn(self, address: str, name: str, until: int) -> None:
        self._is_changed = True
        names = self._known.pop(address, {})
        names.pop(name, None)
        names[name] = until
        if len(names) > NAMES:
            del names[next(iter(names))]
        self._known[address] = names
        if len(self._known) > ADDRESSES:
            del self._known[next(iter(self._known))]

    def _messages(self, record: NameAnswer) -> Iterator[bytes]:
        """The messages that a piece completes. Behind a hole nothing tells where the next begins: the connection is given up."""
        unfinished = self._unfinished.get(record.connection) or _Unfinished()
        if record.position != unfinished.position or (record.position == 0 and len(self._unfinished) >= UNFINISHED):
            self._unfinished.pop(record.connection, None)
            return
        self._unfinished[record.connection] = unfinished
        unfinished.data += record.data
        unfinished.position += record.size if len(record.data) == record.size else MESSAGE_LIMIT**2
        while (size := _whole(unfinished.data)) and len(unfinished.data) >= size:
            yield bytes(unfinished.data[PREFIX:size])
            del unfinished.data[:size]


def _whole(data: bytearray) -> int:
    """Size of the first message with its prefix; 0: not known."""
    return PREFIX + int.from_bytes(data[:PREFIX], "big") if len(data) >= PREFIX else 0
