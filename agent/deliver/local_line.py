"""The conversation with a collector of this machine: see proto/local_line.py.

One thread writes what there is to say; who asked for the conversation reads the answers.
"""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chaperone.proto import capture_pb2 as wire
from chaperone.proto.local_line import HEAD, REFUSAL, SOCKET, Refusal, head_of, message_frame, refusal_of


class RefusedError(Exception):
    """The collector has ended the conversation, and said why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def local_socket(beside: Path) -> socket.socket | None:
    """An open line to the collector whose gRPC socket this is; None where nobody listens, as with an older version."""
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(str(beside.with_name(SOCKET)))
    except OSError:
        line.close()
        return None
    return line


@contextmanager
def talking(line: socket.socket, messages: Iterable[wire.Upward]) -> Iterator[Iterator[wire.Downward]]:
    """Say the messages; what is answered, until the collector hangs up. RefusedError, OSError."""
    speaking = threading.Thread(target=_say, args=(line, messages), name="uplink-out", daemon=True)
    with line, line.makefile("rb") as heard:
        speaking.start()
        try:
            yield _answers(heard)
        finally:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _say(line: socket.socket, messages: Iterable[wire.Upward]) -> None:
    with contextlib.suppress(OSError):  # who reads the answers finds out, too
        for message in messages:
            line.sendall(message_frame(message))
        line.shutdown(socket.SHUT_WR)


def _answers(heard: BinaryIO) -> Iterator[wire.Downward]:
    while len(head := _read(heard, HEAD.size)) == HEAD.size:
        size, kind = head_of(head)
        data = _read(heard, size)
        if len(data) < size:
            return
        if kind == REFUSAL:
            raise RefusedError(refusal_of(data))
        yield wire.Downward.FromString(data)


def _read(heard: BinaryIO, size: int) -> bytes:
    """So many bytes, or fewer when the collector is gone."""
    try:
        return heard.read(size)
    except ConnectionError:
        return b""
