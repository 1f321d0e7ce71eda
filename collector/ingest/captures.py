"""A capture file (raw chunks of one stream, for tests and `decode`) → the records an agent would have sent.

Format: JSON lines, gzip or not. First {name, start, …}; then {t, d, b} with d "c2s" or "s2c" and b base64; {t, d, eof: true};
{t, d, error} where the recorder could not forward. `start` is Unix seconds, `t` seconds since then. Unknown keys are skipped.
Boot time 0 is `start`. Ids come from the file's name: the same file gives the same ids, two names two streams.
"""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaperone.collector.times import SECOND
from chaperone.proto.ids import ProcessId, SessionId, StreamId, process_id, session_id, stream_id
from chaperone.proto.records import Chunk, Direction, Record, SessionEnded, SessionStarted, StreamClosed, StreamOpened

LATEST_S = 4_000_000_000  # a start or time behind this is no time
_DIRECTIONS = {"c2s": Direction.OUT, "s2c": Direction.IN}
_GZIP = b"\x1f\x8b"

Line = tuple[int, dict[str, Any]]


class CaptureError(ValueError):
    """A file that is no capture; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture's records, and what turns their times into wall-clock ns (`take(record, wall_offset)`)."""

    name: str
    wall_offset: int
    records: Iterator[Record]


@dataclass(frozen=True, slots=True)
class _Ids:
    session: SessionId
    process: ProcessId
    stream: StreamId


def read_capture(path: Path) -> Capture:
    """Open a capture. CaptureError now or while its records are read; OSError when it cannot be opened."""
    lines = _lines(path)
    number, head = next(lines, (1, {}))
    if "start" not in head:
        raise CaptureError(f"{path}:{number}: the first line has no start")
    start = _seconds(head, "start", f"{path}:{number}")
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return Capture(name, start, _records(path, name, lines))


def _records(path: Path, name: str, lines: Iterator[Line]) -> Iterator[Record]:
    process = process_id(f"capture {name}", 0, 0)
    ids = _Ids(session_id(f"capture {name}", 0), process, stream_id(process, 0, 0))
    yield SessionStarted(ids.session, f"capture {name}", 0)
    yield StreamOpened(ids.stream, ids.process, ids.session, 0, "capture")
    lengths, time = [0, 0], 0
    for number, line in lines:
        where = f"{path}:{number}"
        time = max(time, _seconds(line, "t", where))
        if data := _data(line, where):
            direction = _direction(line, where)
            yield Chunk(ids.stream, direction, lengths[direction], data, time)
            lengths[direction] += len(data)
    yield StreamClosed(ids.stream, time, *lengths)
    yield SessionEnded(ids.session, time)


def _lines(path: Path) -> Iterator[Line]:
    """Numbered lines as objects."""
    with path.open("rb") as plain:
        packed = plain.read(2) == _GZIP
    number = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                yield number, _object(line, f"{path}:{number}")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise CaptureError(f"{path}:{number + 1}: the gzip data is damaged or cut off") from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise CaptureError(f"{where}: not JSON") from None
    if not isinstance(found, dict):
        raise CaptureError(f"{where}: not a JSON object")
    return found


def _seconds(line: dict[str, Any], key: str, where: str) -> int:
    value = line.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < LATEST_S:
        raise CaptureError(f"{where}: {key} is no time in seconds")
    return round(value * SECOND)


def _data(line: dict[str, Any], where: str) -> bytes:
    """The bytes of a data line; b"" for any other."""
    if "b" not in line:
        return b""
    try:
        return base64.b64decode(line["b"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise CaptureError(f"{where}: b is no base64") from None


def _direction(line: dict[str, Any], where: str) -> Direction:
    found = _DIRECTIONS.get(str(line.get("d")))
    if found is None:
        raise CaptureError(f"{where}: d is neither c2s nor s2c")
    return found
