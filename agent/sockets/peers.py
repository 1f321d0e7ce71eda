"""One name for a socket and whom it speaks with: a datagram socket may speak with many, each of which is a connection to us."""

COOKIE_BITS = 64


def of_peer(cookie: int, peer: int) -> int:
    """One name for a socket and whom it speaks with; a socket's own where `peer` is 0."""
    return peer << COOKIE_BITS | cookie


def cookie_and_peer(name: int) -> tuple[int, int]:
    """What `of_peer` put together."""
    return name & (1 << COOKIE_BITS) - 1, name >> COOKIE_BITS
