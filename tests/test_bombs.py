"""Bytes made to cost far more than they are: each passes through all layers and ends at a limit that is named, in bounded memory.

The limits of single parts are tested beside those parts.
"""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import hpack
import pytest
from support.core_properties import MIB, OVERHEAD
from support.exchanges import Pieces, answer, watched
from support.whole_core import Core, masked, read
from support.wire_streams import Chunk, placed

from chaperone.collector.kube.call import Call
from chaperone.collector.wire.http2 import PREFACE
from chaperone.collector.wire.spdy import DICTIONARY
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
DECODED = 208 * MIB  # 128 MiB of one body, and what one read of 64 KiB inflates to at most


@dataclass(frozen=True)
class Bomb:
    """What is sent, and why it is not read to its end."""

    make: Callable[[], Pieces]
    reason: str


def h2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def h2_streams() -> Pieces:
    fields = [(":method", "GET"), (":scheme", "https"), (":path", "/api/v1/pods"), (":authority", "x")]
    encoder = hpack.Encoder()
    return [(OUT, PREFACE), *((OUT, h2_frame(1, 5, number, encoder.encode(fields))) for number in range(1, 14_000, 2))]


def hpack_table() -> Pieces:
    """A field of 4 000 bytes in the table, and one byte for each further time it is sent."""
    block = b"\x82\x87\x84\x40\x01a\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 60_000
    parts = [block[at : at + 16384] for at in range(0, len(block), 16384)]
    frames = [h2_frame(9 if number else 1, 4 * (part is parts[-1]), 1, part) for number, part in enumerate(parts)]
    return [(OUT, PREFACE), *((OUT, frame) for frame in frames)]


def continuations() -> Pieces:
    return [(OUT, PREFACE + h2_frame(1, 1, 1, b"\x82")), *[(OUT, h2_frame(9, 0, 1, b"x" * 16000))] * 2000]


def empty_continuations() -> Pieces:
    return [(OUT, PREFACE + h2_frame(1, 1, 1, b"\x82")), *[(OUT, h2_frame(9, 0, 1, b"") * 1000)] * 50]


def header_lines() -> Pieces:
    return [(OUT, b"GET /api/v1/pods HTTP/1.1\r\n"), *[(OUT, b"X-A: b\r\n" * 4000)] * 300]


def trailer_lines() -> Pieces:
    ask = b"POST /api/v1/pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    return [(OUT, ask), *[(OUT, b"X-A: b\r\n" * 4000)] * 300]


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b"0" * MIB) for _ in range(size // MIB)) + packer.flush()


def spdy(*frames: bytes) -> Pieces:
    """What a client sends behind its upgrade to SPDY."""
    ask = b"POST /api/v1/namespaces/d/pods/p/exec?command=sh HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
    return [(OUT, ask), (IN, switched), *((OUT, frame) for frame in frames)]


def spdy_fields() -> Pieces:
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    block = packer.compress(struct.pack(">II", 1, 40 * MIB) + b"\0" * 40 * MIB) + packer.flush(zlib.Z_SYNC_FLUSH)
    return spdy(struct.pack(">HHIIIH", 0x8003, 1, len(block) + 10, 1, 0, 0) + block)


def websocket_length() -> Pieces:
    ask = b"GET /api/v1/namespaces/d/pods/p/exec?command=sh HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    return [(OUT, ask), (IN, switched), (IN, b"\x82\x7f" + struct.pack(">Q", 1 << 31)), (IN, b"x" * MIB)]


def aliases() -> Pieces:
    """Each line has the one before it nine times."""
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return answer("\n".join(["a0: &a0 [x]", *rows]).encode(), "application/yaml")


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])


def nested(depth: int) -> bytes:
    """A protobuf object in one in one …"""
    inner = b""
    for _ in range(depth):
        inner = b"\x0a" + varint(len(inner)) + inner
    return b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12" + varint(len(inner)) + inner


BOMBS = {
    "gzip": Bomb(lambda: answer(zeros(300 * MIB), coding="gzip"), "more than 134217728 decoded bytes"),
    "gzip of a watch": Bomb(lambda: watched(zeros(300 * MIB), coding="gzip"), "a watch event over 16777216 bytes"),
    "HPACK": Bomb(hpack_table, "header block: OversizedHeaderListError"),
    "CONTINUATION": Bomb(continuations, "a header block over 2097152 bytes"),
    "empty CONTINUATION": Bomb(empty_continuations, "the stream ends inside a frame"),
    "7 000 open h2 streams": Bomb(h2_streams, "more than 4096 h2 streams open"),
    "header lines": Bomb(header_lines, "no end within 1052672 bytes"),
    "trailer lines": Bomb(trailer_lines, "no end within"),
    "SPDY length": Bomb(lambda: spdy(struct.pack(">HHI", 0x8003, 1, 0xFFFFFF)), "a control frame of 16777215 bytes, above 65536"),
    "SPDY zlib": Bomb(spdy_fields, "a header block above 262144 bytes"),
    "WebSocket length": Bomb(websocket_length, "a frame of 2147483648 bytes, above 2147483647"),
    "JSON": Bomb(lambda: answer(b"[" * MIB + b"]" * MIB), "JSON nested deeper than 254"),
    "YAML": Bomb(lambda: answer(b"[" * MIB, "application/yaml"), "YAML nested deeper than 200"),
    "YAML aliases": Bomb(aliases, "YAML of more than 200000 nodes"),
    "CBOR": Bomb(lambda: answer(b"\xd9\xd9\xf7" + b"\x81" * MIB + b"\0", "application/cbor"), "CBOR nested deeper than 64"),
    "CBOR length": Bomb(lambda: answer(b"\xd9\xd9\xf7\x9b" + b"\x7f" * 8, "application/cbor"), "CBOR"),
    "watch frame": Bomb(
        lambda: watched(b"\x7f\xff\xff\xff" + b"x" * MIB, "application/vnd.kubernetes.protobuf;stream=watch"),
        "a watch event of 2147483647 bytes, over 16777216",
    ),
}


def read_within(fed: list[Chunk]) -> tuple[str, int]:
    """Every reason that was given, and the most memory that reading and masking took."""
    core, given = Core(), dict[str, None]()
    tracemalloc.start()
    try:
        for reports in (*(core.feed(chunk) for chunk in fed), core.close()):
            masked(reports)
            given |= dict.fromkeys(why for report in reports if isinstance(report, Call) for why in report.ambiguous)
        return " | ".join([*core.unreadable, *given]), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_at_a_limit_that_is_named(name: str) -> None:
    given, peak = read_within(placed((direction, data, 1) for direction, data in BOMBS[name].make()))
    assert BOMBS[name].reason in given
    assert peak < OVERHEAD + DECODED


def test_deep_protobuf_is_read_only_as_far_as_it_is_asked_for() -> None:
    body = nested(20_000)
    reports = read(placed((direction, data, 1) for direction, data in answer(body, "application/vnd.kubernetes.protobuf")))
    masked(reports)
    (last,) = [report for report in reports if isinstance(report, Call) and report.ended]
    assert last.response_body is not None
    assert last.response_body.data == body
