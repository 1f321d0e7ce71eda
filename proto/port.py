"""A port for those who watch over an agent or a collector: Prometheus, and a kubelet. HTTP over TLS, GET, one answer a connection.

A client may show a certificate of our authority, and then it is looked at: a kubelet has none. Each connection has a thread, in which
its handshake is made too: one that says nothing keeps nobody waiting. It is hung up in time, or when too many others have come.
"""

import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, NamedTuple

TIMEOUT_S = 5.0
AT_ONCE = 16  # connections; for one more the oldest has to go
TEXT = "text/plain; version=0.0.4"  # Prometheus' text format, and words


class Asked(NamedTuple):
    """`accepts`: the header Accept. `is_known`: the client has shown a certificate."""

    path: str
    accepts: str = ""
    is_known: bool = False


class Answer(NamedTuple):
    """`form`: the header Content-Type."""

    status: HTTPStatus
    body: bytes
    form: str = TEXT


UNKNOWN = Answer(HTTPStatus.FORBIDDEN, b"show a certificate\n")


def word(is_so: bool) -> Answer:
    """Yes or no, and not why: anybody may ask."""
    return Answer(HTTPStatus.OK, b"ok\n") if is_so else Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"no\n")


class Port(ThreadingMixIn, TCPServer):
    """Serves on a socket that listens. `answer` is called in many threads."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, context: ssl.SSLContext, answer: Callable[[Asked], Answer]) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.context, self.answer = listening, context, answer
        self._open: deque[socket.socket] = deque()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Those who are slow make room for those who come."""
        self._open.append(request)
        if len(self._open) > AT_ONCE:
            with suppress(OSError):
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """What is wrong with a client is nobody's trouble but its own."""
        request.settimeout(TIMEOUT_S)
        with suppress(OSError), self.context.wrap_socket(request, server_side=True) as secured:
            _Handler(secured, client_address, self)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with suppress(ValueError):  # it had to go
            self._open.remove(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT_S
    server: Port

    def do_GET(self) -> None:
        """Answer and hang up."""
        is_known = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        answer = self.server.answer(Asked(self.path, self.headers.get("Accept", ""), is_known))
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.form)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_said: object) -> None:
        """What strangers say is in no log."""


def context_of(authority: Path, certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Ours. `key`: None where it is in the certificate's file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def listening_at(address: tuple[str, int]) -> socket.socket:
    """Of all addresses where none is named: those of IPv4 on a kernel without IPv6, as gRPC's port does by itself."""
    if address[0]:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        return socket.create_server(address, family=family)
    is_both = socket.has_dualstack_ipv6()
    return socket.create_server(address, family=socket.AF_INET6 if is_both else socket.AF_INET, dualstack_ipv6=is_both)
