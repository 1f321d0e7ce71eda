"""A port for those who watch over a collector: Prometheus, and a kubelet.

| | asked by | |
| --- | --- | --- |
| `/readyz` | anybody: a kubelet has no certificate | 200 or 503, and no word more |
| `/metrics` | clients with a certificate of our authority | Prometheus's formats |

Each connection has a thread, in which its handshake is made too: one that says nothing keeps nobody waiting, and is hung up.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED
from chaperone.collector.serve.doors import DoorError
from chaperone.collector.serve.metrics import Families, exposed

TIMEOUT_S = 5.0
POLL_S = 0.1
TEXT = "text/plain; charset=utf-8"
Answer = tuple[HTTPStatus, bytes, str]


class WatchPort:
    """Serves in threads. `is_ready` is asked from any of them. DoorError when it can't."""

    def __init__(self, address: str, tls: Path, families: Families, is_ready: Callable[[], bool]) -> None:
        self._tls, self._families, self._is_ready = tls, families, is_ready
        try:
            self._context = _context(tls)
            self._server = _Server(_listening(address), self._context, self._answer)
        except (OSError, ValueError) as error:
            raise DoorError(f"cannot serve metrics on {address}: {error}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Its number."""
        return int(self._server.socket.getsockname()[1])

    @property
    def family(self) -> int:
        """Of its addresses."""
        return self._server.socket.family

    def renew(self) -> None:
        """Use our certificate as it is now; one that is just being replaced, the next time."""
        with suppress(OSError, ssl.SSLError):
            self._context.load_cert_chain(self._tls / CERTIFICATE, self._tls / KEY)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path: str, accepted: str, is_known: bool) -> Answer:
        match path.partition("?")[0]:
            case "/readyz":
                return (HTTPStatus.OK, b"ok\n", TEXT) if self._is_ready() else (HTTPStatus.SERVICE_UNAVAILABLE, b"no\n", TEXT)
            case "/metrics" if is_known:
                return HTTPStatus.OK, *exposed(self._families, accepted)
            case "/metrics":
                return HTTPStatus.FORBIDDEN, b"show a certificate\n", TEXT
        return HTTPStatus.NOT_FOUND, b"there is /readyz and /metrics\n", TEXT


class _Server(ThreadingHTTPServer):
    """On a socket that listens."""

    def __init__(self, listening: socket.socket, context: ssl.SSLContext, answer: Callable[[str, str, bool], Answer]) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.answer = context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False), answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What is wrong with a client is nobody's trouble but its own."""


class _Handler(BaseHTTPRequestHandler):
    """One connection, one answer. The first read makes the handshake."""

    timeout = TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        """Answer and hang up."""
        is_known = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        status, body, form = self.server.answer(self.path, self.headers.get("Accept", ""), is_known)
        self.send_response_only(status)
        self.send_header("Content-Type", form)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """What strangers say is in no log."""


def _context(tls: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls / CERTIFICATE, tls / KEY)
    context.load_verify_locations(tls / TRUSTED)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _listening(address: str) -> socket.socket:
    """All addresses are those of IPv4 on a kernel without IPv6; gRPC's port does the same by itself."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host == "::":
        is_dual = socket.has_dualstack_ipv6()
        return socket.create_server(("", int(port)), family=socket.AF_INET6 if is_dual else socket.AF_INET, dualstack_ipv6=is_dual)
    return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
