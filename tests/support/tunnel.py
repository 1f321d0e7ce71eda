"""A proxy whose every tunnel leads to one port, asked for by HTTP's CONNECT or by SOCKS 5."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SOCKS = b"\x05"  # RFC 1928: version, and twice that all is well


def tunnelled(client: socket.socket) -> str:
    """What kind of tunnel it asked for, now that it has it; wherever to."""
    if client.recv(1, socket.MSG_PEEK) == SOCKS:
        client.recv(300)
        client.sendall(SOCKS + b"\0")
        client.recv(300)
        client.sendall(SOCKS + b"\0\0\x01" + bytes(6))
        return "socks5h"
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return "http" if head.startswith(b"CONNECT ") else "none"


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxy(port: int) -> Iterator[tuple[int, list[str]]]:
    """The port of a proxy whose every tunnel leads to `port`, and of which kind they were."""
    kinds: list[str] = []

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            kinds.append(tunnelled(client))
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], kinds
        finally:
            listener.shutdown(socket.SHUT_RDWR)
