"""GETs of single pods over TLS, each in bounded time and size. No other request can be made of a Client: above all none of Secrets."""

import http.client
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from chaperone.collector.lookup.access import Access

TIMEOUT_S = 1.0
LIMIT = 4 << 20  # bytes of an answer; etcd keeps no larger object
AGENT = "chaperone-collector (look-up)"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
GONE, REFUSED = 404, (401, 403)
FAILURES = (OSError, http.client.HTTPException, ValueError)  # of one question


class UnansweredError(Exception):
    """The API did not answer with a pod. `is_down`: it would not answer anything else now either."""

    def __init__(self, reason: str, is_down: bool) -> None:
        super().__init__(reason)
        self.is_down = is_down


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one API. One connection a question: they are rare, and nothing is left open."""

    access: Access
    timeout_s: float = TIMEOUT_S

    def pod(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A pod; None when there is none, or can be none of that name. UnansweredError otherwise."""
        if not (_NAMESPACE.fullmatch(namespace) and NAME.fullmatch(name)):
            return None  # names come from what workloads send: nothing else may get into a path
        status, body = self._get(f"/api/v1/namespaces/{namespace}/pods/{name}")
        if status == GONE:
            return None
        if status != http.client.OK:
            raise UnansweredError(f"{self.access.url} answered {status} to a look-up of a pod", status not in REFUSED)
        return self._read(body)

    def _get(self, path: str) -> tuple[int, bytes]:
        try:
            with asked(self.access, path, self.timeout_s) as answer:
                return answer.status, _whole(answer)
        except FAILURES as error:
            raise UnansweredError(f"{self.access.url} did not answer a look-up: {type(error).__name__}", is_down=True) from None

    def _read(self, body: bytes) -> dict[str, Any]:
        found = json_object(body, LIMIT)
        if found is None or found.get("kind") != "Pod":
            raise UnansweredError(f"{self.access.url} answered a look-up with something that is no pod", is_down=False)
        return found


@contextmanager
def asked(access: Access, path: str, timeout_s: float, patch: bytes = b"") -> Iterator[http.client.HTTPResponse]:
    """The answer to one GET, or to a `patch` (RFC 6902). FAILURES. `timeout_s`: to connect, and for each piece."""
    connection = http.client.HTTPSConnection(access.host, access.port, timeout=timeout_s, context=access.context)
    try:
        token = access.token()
        credential = {"Authorization": f"Bearer {token}"} if token else {}
        kind = {"Content-Type": "application/json-patch+json"} if patch else {}
        headers = {"Accept": "application/json", "User-Agent": AGENT, **kind, **credential}
        connection.request("PATCH" if patch else "GET", path, patch or None, headers)
        yield connection.getresponse()
    finally:
        connection.close()


@contextmanager
def answered(access: Access, path: str, timeout_s: float, patch: bytes = b"") -> Iterator[http.client.HTTPResponse]:
    """`asked`, where each of FAILURES, also of who reads the answer, is an UnansweredError."""
    try:
        with asked(access, path, timeout_s, patch) as answer:
            yield answer
    except FAILURES as error:
        raise UnansweredError(f"{access.url} did not answer: {type(error).__name__}", is_down=True) from None


def json_object(body: bytes, limit: int) -> dict[str, Any] | None:
    """None for a body that is none, or is larger."""
    try:
        found = orjson.loads(body) if len(body) <= limit else None
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _whole(answer: http.client.HTTPResponse) -> bytes:
    """All of it, or a byte more than LIMIT; one that only trickles in is given up."""
    parts, deadline = bytearray(), time.monotonic() + TIMEOUT_S
    while len(parts) <= LIMIT and (part := answer.read1(64 << 10)):
        parts += part
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(parts)
