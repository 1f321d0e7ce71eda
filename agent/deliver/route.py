"""Which collector to call: of several always the same one as long as it answers, and then always the same next one.

Each target is a gRPC target (`unix:…`) or HOST:PORT, whose name may stand for several addresses. All of them are put in an order that is
made of the node and the address alone (rendezvous hashing): nodes spread over collectors, and one that is new or gone moves only its share.
"""

import hashlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass

UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a call may go. `name`: what its certificate must be for, "" for the target's address."""

    target: str
    name: str = ""


def route(targets: Sequence[str], node: str) -> list[Stop]:
    """Every collector, in the order in which to try them. What a name server does not know now is left out; nothing at all is known: the
    targets as they are, for gRPC to say what is wrong with them."""
    found = dict.fromkeys(stop for target in targets for stop in _stops(target))
    return sorted(found, key=lambda stop: _weight(node, stop.target)) or [Stop(target, _host(target)) for target in targets]


def _stops(target: str) -> list[Stop]:
    if target.startswith(UNIX):
        return [Stop(target)]
    host, port = _host(target), target.rpartition(":")[2]
    try:
        addresses = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    return [Stop(_joined(str(address[0]), port), host if host != address[0] else "") for *_, address in addresses]


def _host(target: str) -> str:
    return "" if target.startswith(UNIX) else target.rpartition(":")[0].strip("[]")


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _weight(node: str, target: str) -> bytes:
    return hashlib.blake2b(f"{node}\0{target}".encode(), digest_size=8).digest()
