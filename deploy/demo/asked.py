"""What is asked of the server and what it answers, whatever HTTP version carries it."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEPT = 4 * 1024 * 1024  # bytes of a request body that are kept; the digest is over all of it


class Upload:
    """A request body: its size and SHA-256, and the first KEPT bytes."""

    def __init__(self) -> None:
        self.size = 0
        self.start = bytearray()
        self._digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take more of it."""
        self.size += len(data)
        self._digest.update(data)
        self.start += data[: KEPT - len(self.start)]

    def sha256(self) -> str:
        """Of everything so far."""
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request head, and its body as far as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: Upload

    @property
    def path(self) -> str:
        """Decoded, without query."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        """Of the URL."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """One header, "" if absent."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. `parts` is a body that comes piece by piece; without it `body` is all, and its length is told."""

    status: int
    content_type: str
    body: bytes = b""
    parts: AsyncIterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, value: Any) -> Answer:
    """A JSON object as the apiserver writes it: compact, with a newline."""
    return Answer(status, "application/json", compact(value))


def compact(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def failure(code: int, reason: str, message: str, details: dict[str, Any]) -> Answer:
    """A Status object that says why not."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return as_json(code, status | {"message": message, "reason": reason, "details": details, "code": code})
