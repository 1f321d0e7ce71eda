"""Looks for a canary in everything a store has: each column of each table by SELECT, and each file, its compressed blocks opened.

ClickHouse files are blocks of {16 bytes checksum, method, 4 bytes compressed size, 4 bytes size, data}
(ClickHouse src/Compression/CompressedReadBufferBase.cpp); method 0x90 is ZSTD, 0x82 LZ4, 0x02 none.
"""

import base64
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import zstandard

from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.engine import Engine

METHODS = {0x02, 0x82, 0x90}
HEADER = 9
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK_LIMIT = 1 << 30


def encodings(canary: bytes) -> dict[str, bytes]:
    """The canary as it may be written: raw, hex, URL-encoded, and base64 at each of three alignments."""
    found = {"raw": canary, "hex": canary.hex().encode(), "HEX": canary.hex().upper().encode()}
    found["url"] = urllib.parse.quote(canary, safe="").encode()
    found["all url"] = "".join(f"%{byte:02X}" for byte in canary).encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + canary)
        found[f"base64/{shift}"] = whole[(0, 2, 3)[shift] : -4].rstrip(b"=")
    return found


def leaks_in(data: bytes, canary: bytes) -> list[str]:
    """The names of the encodings of `canary` that `data` has, each tried in standard and URL-safe base64."""
    safe = data.replace(b"-", b"+").replace(b"_", b"/")
    return [name for name, needle in encodings(canary).items() if needle in data or (name.startswith("base64") and needle in safe)]


def leaks_in_tables(engine: Engine, canary: bytes) -> list[str]:
    """`table.column: encoding` for each hit."""
    found = []
    for row in engine.rows("SELECT table, name FROM system.columns WHERE database = 'chaperone' ORDER BY table, name"):
        table, column = row["table"], row["name"]
        values = engine.rows(f"SELECT DISTINCT toString(`{column}`) AS value FROM chaperone.`{table}`")
        whole = "\n".join(value["value"] or "" for value in values).encode()
        found += [f"{table}.{column}: {name}" for name in leaks_in(whole, canary)]
    return found


def leaks_in_files(directory: Path, canary: bytes) -> list[str]:
    """`file: encoding` for each hit in a file's bytes or in what its compressed blocks and zstd frames hold."""
    found = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()):
        data = path.read_bytes()
        inside = b"\n".join([data, *_blocks(data), *_frames(data)])
        found += [f"{path.relative_to(directory)}: {name}" for name in leaks_in(inside, canary)]
    return found


def leaks_in_store(store: Path, canary: bytes) -> list[str]:
    """All hits in a store that nobody has open."""
    engine = Embedded(store / "clickhouse")
    try:
        found = leaks_in_tables(engine, canary)
    finally:
        engine.close()
    return found + leaks_in_files(store, canary)


def plant(store: Path, canary: bytes) -> None:
    """Put a canary where it must be found."""
    engine = Embedded(store / "clickhouse")
    engine.insert("records", [{"kind": "note", "id": "planted", "document": f'{{"text": "{canary.decode()}"}}'}])
    engine.close()


def _blocks(data: bytes) -> Iterator[bytes]:
    """The contents of a file that is ClickHouse blocks one after another; nothing for any other."""
    position = 0
    while position + 16 + HEADER <= len(data) and data[position + 16] in METHODS:
        method = data[position + 16]
        packed, size = (int.from_bytes(data[position + at : position + at + 4], "little") for at in (17, 21))
        if packed < HEADER or size > BLOCK_LIMIT:
            return
        content = data[position + 16 + HEADER : position + 16 + packed]
        try:
            opened = _opened(method, content, size)
        except (zstandard.ZstdError, IndexError):
            assert position == 0, "a block behind blocks is none"
            return  # a key or sealed bytes, which only begin like a block
        yield opened
        position += 16 + packed


def _opened(method: int, content: bytes, size: int) -> bytes:
    if method == 0x90:
        return zstandard.ZstdDecompressor().decompress(content, max_output_size=size)
    return _lz4(content) if method == 0x82 else content


def _lz4(data: bytes) -> bytes:
    """An LZ4 block (lz4_Block_format.md): literals, then a copy from what is there."""
    out, position = bytearray(), 0
    while position < len(data):
        token = data[position]
        length, position = _length(data, position + 1, token >> 4)
        out += data[position : position + length]
        position += length
        if position >= len(data):
            break
        offset = int.from_bytes(data[position : position + 2], "little")
        length, position = _length(data, position + 2, token & 15)
        for _ in range(length + 4):
            out.append(out[-offset])
    return bytes(out)


def _length(data: bytes, position: int, length: int) -> tuple[int, int]:
    if length == 15:
        while (more := data[position]) == 255:
            length, position = length + 255, position + 1
        length, position = length + more, position + 1
    return length, position


def _frames(data: bytes) -> Iterator[bytes]:
    """Bare zstd frames anywhere in the file."""
    start = data.find(ZSTD_MAGIC)
    while start >= 0:
        opened = zstandard.ZstdDecompressor().decompressobj()
        try:
            yield opened.decompress(data[start:])
        except zstandard.ZstdError:
            yield b""
        start = data.find(ZSTD_MAGIC, start + 4)
