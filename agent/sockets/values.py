"""What the kernel told us about sockets, as values. `cookie`: the kernel's name for a socket, never given out twice in a boot; of UDP,
whose sockets speak with many, that and the peer (peers.py).
"""

from dataclasses import dataclass

from chaperone.agent.sockets.layout import Denied
from chaperone.proto.records import Direction


@dataclass(frozen=True, slots=True)
class SocketOpened:
    """A socket's first packet out, in the thread of (pid, started). `late`: it had been open before, or was accepted.

    `quic`: the version of QUIC that it begins; 0: it begins none. `before`: payload bytes that a late one had carried: OUT, IN.
    """

    pid: int
    started: int
    time: int
    workload: int
    cookie: int
    local: str
    remote: str
    protocol: str
    late: bool = False
    quic: int = 0
    before: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SocketTied:
    """A thread wrote to a TLS object, and a record of that size left on this socket."""

    pid: int
    started: int
    time: int
    handle: int
    cookie: int


@dataclass(frozen=True, slots=True)
class SocketHello:
    """TLS begins in a direction: its first packet, as far as it was kept. `position`: bytes that were said before, in the clear."""

    cookie: int
    direction: Direction
    data: bytes
    time: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class SocketClosing:
    """The first FIN or RST."""

    cookie: int
    time: int


@dataclass(frozen=True, slots=True)
class SocketAnswer:
    """A datagram of a name server, or the next piece of its TCP connection, as far as it was kept. `size`: of all of it."""

    cookie: int
    time: int
    position: int
    size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SocketDenied:
    """The second lock dropped a packet of this socket, and drops all later ones. `workload`: whose it is."""

    cookie: int
    time: int
    workload: int
    why: Denied


SocketValue = SocketOpened | SocketTied | SocketHello | SocketClosing | SocketAnswer | SocketDenied


@dataclass(frozen=True, slots=True)
class Flow:
    """What one direction carried. `wire`: payload; `bytes`, `records`: application-type records, bodies only, all of them.

    `handshake…`: of these what came before the client's first. `first`, `last`: sizes of the others, in order, as far as they were kept.
    `broken`: why records were not all counted; "" if they were. `unfollowed`: some of its packets could not be read at all.
    """

    wire: int = 0
    bytes: int = 0
    records: int = 0
    handshake: int = 0
    handshake_records: int = 0
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    tls: bool = False
    broken: str = ""
    unfollowed: bool = False
