"""The conversation of proto/capture.proto on one machine, without gRPC: the same messages on a Unix socket, each behind its length.

Held calls wait for an answer on this line, and gRPC for Python hands each message through two more threads on either side: a third
of a millisecond a question, of which this takes a quarter. A collector that is elsewhere is spoken to by gRPC alone.

A frame is a length (4 bytes, big-endian), what it is (1 byte), and that many bytes: a message, or, from a collector that ends the
conversation, why (the number of a gRPC status in 1 byte, then a sentence).
"""

import struct
from dataclasses import dataclass

from google.protobuf.message import Message

SOCKET = "line.sock"  # beside the store's gRPC socket
HEAD = struct.Struct(">IB")
MESSAGE, REFUSAL = 0, 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a collector ends a conversation. `status`: gRPC's number."""

    status: int
    sentence: str


def message_frame(message: Message) -> bytes:
    """A message on its way."""
    data = message.SerializeToString()
    return HEAD.pack(len(data), MESSAGE) + data


def refusal_frame(refusal: Refusal) -> bytes:
    """The end of a conversation on its way."""
    data = bytes([refusal.status]) + refusal.sentence.encode()
    return HEAD.pack(len(data), REFUSAL) + data


def head_of(data: bytes) -> tuple[int, int]:
    """Length and kind of what follows. ValueError of a kind that is not known."""
    size, kind = HEAD.unpack(data)
    if kind not in (MESSAGE, REFUSAL):
        raise ValueError(f"a frame of the unknown kind {kind}")
    return int(size), int(kind)


def refusal_of(data: bytes) -> Refusal:
    """What was said last. ValueError where it is nothing of the kind."""
    if not data:
        raise ValueError("a refusal without a status")
    return Refusal(data[0], data[1:].decode(errors="replace"))
