"""The API server as a client in a cluster reaches it: one connection per question, with the token of the moment. Only reads."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30.0  # to connect, and for each piece of an answer to a list
WATCH_S = 300  # after which the server ends a watch
LINE_LIMIT = 16 << 20  # bytes of one event: an object has 1.5 MiB at the most, but for what JSON adds
LIST_LIMIT = 256 << 20  # bytes of one page
KEEPALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}  # a peer that went without a word
GONE = 410


class ApiError(Exception):
    """The server's answer is none that helps. `status`: HTTP's, or that of the Status in it; 0: it made no sense."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server is, whom we trust (PEM) and who we are."""

    host: str
    port: int
    authorities: str
    token: str


def listed(access: Access, path: str) -> dict[str, Any]:
    """The answer to a list."""
    with _asked(access, path) as answer:
        data = answer.read(LIST_LIMIT)
        return _object(data)


def watched(access: Access, path: str) -> Iterator[dict[str, Any]]:
    """The events of a watch, until the server ends it."""
    with _asked(access, path) as answer:
        while line := answer.readline(LINE_LIMIT):
            if not line.endswith(b"\n"):
                raise ApiError(0, "an event was cut off")
            yield _object(line)


@contextmanager
def _asked(access: Access, path: str) -> Iterator[http.client.HTTPResponse]:
    context = ssl.create_default_context(cadata=access.authorities)
    connection = http.client.HTTPSConnection(access.host, access.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.connect()
        _keep_alive(connection.sock)
        connection.request("GET", path, headers={"Authorization": f"Bearer {access.token}", "Accept": "application/json"})
        connection.sock.settimeout(WATCH_S + TIMEOUT_S if "watch=1" in path else TIMEOUT_S)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ApiError(answer.status, f"the API server answers {answer.status}")
        yield answer
    finally:
        connection.close()


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ApiError(0, "the API server's answer is no JSON") from None
    if not isinstance(found, dict):
        raise ApiError(0, "the API server's answer is no object")
    return found
