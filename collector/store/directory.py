"""What lies where in a store directory, who holds it, and how its socket is reached."""

from pathlib import Path

SOCKET = "collector.sock"


def socket_target(store: Path) -> str:
    """The gRPC target of the store's socket, also where its path is longer than a socket address may be."""
    return f"unix:{store / SOCKET}"
