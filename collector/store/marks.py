"""Marks of open streams: sealed, beside the records they belong to, the latest of each stream.

A mark holds what its reader holds, unmasked (header tables, bodies on their way), so its state is at rest only as AES-256-GCM
under a key derived from the installation's key (HKDF-SHA256, info "chaperone marks 1"), bound to its stream's id. A mark of an
unknown layout, of another key or damaged is none: the stream is joined late.
"""

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chaperone.collector.store.engine import Engine

LAYOUT = 1
TURN = 1 << 40  # marks in one turn (store/turns.py)
_NONCE = 12


@dataclass(frozen=True, slots=True)
class StreamMark:
    """A stream's state between two records; None: the stream is over."""

    stream: str
    state: bytes | None = field(default=None, repr=False)


class Marks:
    """The marks table of an open database."""

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine = engine
        self._cipher = AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"chaperone marks 1").derive(key))
        known = [] if engine.is_shared else engine.rows("SELECT DISTINCT stream FROM marks")
        self._stored = {row["stream"] for row in known}  # of a shared database: those of streams that are ours
        self._taken = int(engine.rows(f"SELECT max(taken % {TURN}) AS last FROM marks")[0]["last"])

    def write(self, marks: Iterable[tuple[StreamMark, int]]) -> None:
        """Each with the turn of its agent. Durable when this returns. A stream that began and ended since the last time leaves nothing."""
        rows = []
        for mark, turn in marks:
            if mark.state is not None or mark.stream in self._stored:
                self._taken += 1
                taken = turn * TURN + self._taken
                rows.append({"stream": mark.stream, "taken": taken, "layout": LAYOUT, "state": self._sealed(mark)})
        self._engine.insert("marks", rows)
        self._stored.update(row["stream"] for row in rows)
        self._stored.difference_update(row["stream"] for row in rows if not row["state"])

    def of(self, streams: Iterable[str]) -> dict[str, bytes]:
        """The latest state of each of these streams that has one."""
        return self._latest("stream IN {streams:Array(String)}", {"streams": list(streams)})

    def starting(self, prefix: str) -> dict[str, bytes]:
        """The latest state of all whose name starts so."""
        return self._latest("startsWith(stream, {prefix:String})", {"prefix": prefix})

    def _latest(self, condition: str, values: dict[str, Any]) -> dict[str, bytes]:
        rows = self._engine.rows(f"SELECT stream, layout, state FROM marks WHERE {condition} ORDER BY taken", values)
        latest = {row["stream"]: row for row in rows}
        self._stored.update(latest)
        found = {stream: self._opened(stream, row["state"]) for stream, row in latest.items() if row["state"] and row["layout"] == LAYOUT}
        return {stream: state for stream, state in found.items() if state is not None}

    def _sealed(self, mark: StreamMark) -> str:
        if mark.state is None:
            return ""
        nonce = os.urandom(_NONCE)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, mark.state, mark.stream.encode())).decode()

    def _opened(self, stream: str, sealed: str) -> bytes | None:
        data = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], stream.encode())
        except InvalidTag:
            return None
