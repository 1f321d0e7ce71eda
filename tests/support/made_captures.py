"""Conversations of kinds that nobody recorded, written to a capture file and decoded as `chaperone decode` does."""

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.talks import asked

from chaperone.collector.cli.decoded import Decoded, decoded
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.wire.spdy import DICTIONARY
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
POD = "/api/v1/namespaces/ns/pods/p"
Talk = list[tuple[Direction, bytes]]


def capture(folder: Path, talk: Iterable[tuple[Direction, bytes]]) -> Decoded:
    """The conversation through a file."""
    lines: list[dict[str, Any]] = [{"name": "made", "command": ["made"], "alpn": None, "start": 1.7e9}]
    lines += [{"t": n / 100, "d": _side(side), "b": base64.b64encode(data).decode()} for n, (side, data) in enumerate(talk)]
    lines += [{"t": 90, "d": _side(side), "eof": True} for side in Direction]
    path = folder / "made.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    return decoded(path, Revealer)


def _side(direction: Direction) -> str:
    return "c2s" if direction is OUT else "s2c"


def websocket(target: str, subprotocol: str) -> Talk:
    """The heads of an upgrade."""
    offer = {"Sec_WebSocket_Protocol": subprotocol} if subprotocol else {}
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return [(OUT, asked("GET", target, Connection="Upgrade", Upgrade="websocket", **offer)), (IN, f"{head}\r\n".encode())]


def frame(direction: Direction, data: bytes, opcode: int = 2) -> tuple[Direction, bytes]:
    """A WebSocket frame; the client's are masked."""
    mask = 128 if direction is OUT else 0
    size = bytes([mask | len(data)]) if len(data) < 126 else bytes([mask | 126]) + struct.pack(">H", len(data))
    head = bytes([128 | opcode]) + size
    return direction, head + (b"mask" + bytes(byte ^ b"mask"[at % 4] for at, byte in enumerate(data)) if mask else data)


def spdy(target: str, version: str) -> Talk:
    """The heads of an upgrade to SPDY."""
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: {version}\r\n\r\n"
    asking = asked("POST", target, Connection="Upgrade", Upgrade="SPDY/3.1", X_Stream_Protocol_Version=version, Content_Length="0")
    return [(OUT, asking), (IN, head.encode())]


class SpdyWriter:
    """Frames of one direction: the header blocks are one zlib stream."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(9, zlib.DEFLATED, 15, 9, 0, DICTIONARY)

    def opened(self, strand: int, ends: bool = False, **headers: str) -> bytes:
        pairs = [_text(name) + _text(value) for name, value in headers.items()]
        block = self._zlib.compress(struct.pack(">I", len(pairs)) + b"".join(pairs)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIBB", strand, 0, 0, 0) + block
        return struct.pack(">HHI", 0x8003, 1, ends << 24 | len(body)) + body


def strand(number: int, data: bytes, ends: bool = False) -> bytes:
    """A SPDY data frame."""
    return struct.pack(">II", number, ends << 24 | len(data)) + data


def _text(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()
