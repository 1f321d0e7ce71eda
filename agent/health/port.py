"""The process that answers how the agent is, over TLS, without any privilege.

`python -m chaperone.agent.health.port LISTENING CERTIFICATE AUTHORITY`: descriptors of a listening socket and of two files. The agent is at
the other end of stdin, and says again and again how it is; when it says nothing, it stands still. We end with it.

| | asked by | |
| --- | --- | --- |
| `/healthz`, `/readyz` | anybody: a kubelet has no certificate | 200 or 503, and no word more |
| `/metrics` | clients with a certificate of our authority | Prometheus's text format |
"""

import os
import resource
import signal
import socket
import ssl
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from chaperone.agent.confine import confine
from chaperone.agent.health.report import SIZE_LIMIT, Report, unpacked

READY_S, ALIVE_S = 15.0, 60.0  # without a word from the agent
TIMEOUT_S = 5.0
AT_ONCE = 16  # connections; for one more the oldest has to go
LIMITS = {
    resource.RLIMIT_AS: 2 << 30,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}


class Told:
    """What the agent said last, and when."""

    def __init__(self) -> None:
        self._report, self._heard = Report(False, True, ""), time.monotonic()

    def hear(self, report: Report) -> None:
        """The next word."""
        self._report, self._heard = report, time.monotonic()

    def answer(self, path: str, is_known: bool) -> tuple[HTTPStatus, str]:
        """To one question. `is_known`: the client has shown a certificate."""
        report, silence_s = self._report, time.monotonic() - self._heard
        match path:
            case "/readyz":
                return _word(report.is_ready and silence_s < READY_S)
            case "/healthz":
                return _word(report.is_alive and silence_s < ALIVE_S)
            case "/metrics":
                return (HTTPStatus.OK, report.metrics) if is_known else (HTTPStatus.FORBIDDEN, "show a certificate\n")
        return HTTPStatus.NOT_FOUND, "there is /healthz, /readyz and /metrics\n"


def _word(is_so: bool) -> tuple[HTTPStatus, str]:
    return (HTTPStatus.OK, "ok\n") if is_so else (HTTPStatus.SERVICE_UNAVAILABLE, "no\n")


class Port(ThreadingMixIn, TCPServer):
    """Answers what was `told`."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, context: ssl.SSLContext, told: Told) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.context, self.told = listening, context, told
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
            Handler(secured, client_address, self)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with suppress(ValueError):  # it had to go
            self._open.remove(request)
        super().shutdown_request(request)


class Handler(BaseHTTPRequestHandler):
    """One connection, one answer."""

    timeout = TIMEOUT_S
    server: Port

    def do_GET(self) -> None:
        """Answer and hang up."""
        is_known = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        status, text = self.server.told.answer(self.path, is_known)
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_said: object) -> None:
        """What strangers say is in no log."""


def context_of(certificate: str, authority: str) -> ssl.SSLContext:
    """Ours; a client may show one, and then it is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def main(arguments: list[str]) -> None:
    """Answer until the agent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listening, certificate, authority = map(int, arguments)
    context = context_of(f"/proc/self/fd/{certificate}", f"/proc/self/fd/{authority}")
    confine(LIMITS, keeps_network=True)
    agent, told = socket.socket(fileno=0), Told()
    port = Port(socket.socket(fileno=listening), context, told)
    threading.Thread(target=port.serve_forever, name="port", daemon=True).start()
    while data := agent.recv(SIZE_LIMIT):
        told.hear(unpacked(data))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
