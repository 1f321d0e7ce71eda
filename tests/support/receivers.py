"""Receivers of alerts as real HTTP servers that answer as a test says: well, badly, late, never."""

import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WAIT_S = 60.0


@dataclass(slots=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(slots=True)
class Behaviour:
    """How the next requests are answered: statuses in turn, the last one for ever; 0 hangs up, -1 never answers."""

    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


class Server:
    """A receiver; `got` are all requests, also those that were answered badly."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.behaviour, self.got = behaviour, list[Got]()
        self._ended = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(Got(self.path, dict(self.headers.items()), body, time.monotonic()))
                outer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/services/T0/B0/hook-s3cret"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        statuses = self.behaviour.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status < 0:
            self._ended.wait(WAIT_S)
        if status <= 0:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(self.behaviour.body)), **self.behaviour.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(self.behaviour.body)

    def documents(self) -> list[dict[str, Any]]:
        return [got.document for got in self.got]

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(*statuses: int, tls: ssl.SSLContext | None = None, port: int = 0, **changed: Any) -> Iterator[Server]:
    server = Server(Behaviour(list(statuses) or [200], **changed), tls, port)
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
    """What the condition says once it says anything."""
    deadline = time.monotonic() + wait_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found
