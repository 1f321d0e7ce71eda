"""One request by rustls, in the place of Python's ssl."""

import socket
import sys

import rtls

host, _, port = sys.argv[1].removeprefix("https://").partition(":")
context = rtls.create_default_context(cafile=sys.argv[2])
with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost") as tls:
    tls.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert tls.recv(65536).startswith(b"HTTP/1.1 ")
