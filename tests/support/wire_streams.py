"""Recorded connections as `wire` takes them: chunks with positions and times, fed in any order, cut, torn or mutated."""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.events import Data, Event
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.collector.wire.reader import Reader
from chaperone.proto.records import Direction

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/fixtures/wire"
KEPT = ROOT / "tests/captures"
CLOSED = 1 << 50  # when every stream is over
_DIRECTIONS = {"c2s": Direction.OUT, "s2c": Direction.IN}


@dataclass(frozen=True)
class Chunk:
    direction: Direction
    position: int
    data: bytes
    time: int


def recorded(directory: Path) -> list[Path]:
    """The recordings with a truth beside them."""
    return sorted(path for path in directory.glob("*.jsonl.gz") if truth_of(path).exists())


def truth_of(path: Path) -> Path:
    return path.with_name(path.name.replace(".jsonl.gz", ".truth.json"))


def audit(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(truth_of(path).read_text())["audit"])


def chunks(path: Path) -> list[Chunk]:
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return placed((_DIRECTIONS[line["d"]], base64.b64decode(line["b"]), 1 + int(line["t"] * 1e9)) for line in lines if "b" in line)


def placed(pieces: Iterable[tuple[Direction, bytes, int]]) -> list[Chunk]:
    """Pieces as chunks, each at its place."""
    positions, result = [0, 0], []
    for direction, data, time in pieces:
        result.append(Chunk(direction, positions[direction], data, time))
        positions[direction] += len(data)
    return result


def behind(fed: Iterable[Chunk], positions: list[int]) -> list[Chunk]:
    """What of these chunks lies behind a position of each direction."""
    ahead = [(chunk, max(0, positions[chunk.direction] - chunk.position)) for chunk in fed]
    return [replace(chunk, position=chunk.position + skip, data=chunk.data[skip:]) for chunk, skip in ahead if skip < len(chunk.data)]


def events_of(fed: list[Chunk], reader: Reader | None = None) -> list[Event]:
    """Every event of a stream fed in this order and closed."""
    reader = reader or StreamReader()
    events = [event for chunk in fed for event in reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time)]
    return events + reader.close(CLOSED)


def reports_of(fed: list[Chunk]) -> list[Exchange]:
    """Every report of a stream fed in this order and closed."""
    reader, exchanges, reports = StreamReader(), Exchanges(), []
    for chunk in fed:
        reports += exchanges.add(reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time))
    reports += exchanges.add(reader.close(CLOSED))
    return reports + exchanges.close(CLOSED)


def ended(reports: Iterable[Exchange]) -> list[Exchange]:
    """The last state of each exchange, in order of their requests, without news."""
    over = [replace(report, news=()) for report in reports if report.phase == Phase.END]
    return sorted(over, key=lambda report: report.position)


def bodies(reports: Iterable[Exchange]) -> dict[tuple[int, Direction], bytes]:
    """Body bytes by exchange and direction."""
    found: dict[tuple[int, Direction], bytes] = {}
    for event in (event for report in reports for event in report.news if isinstance(event, Data)):
        found[event.exchange, event.direction] = found.get((event.exchange, event.direction), b"") + bytes(event.data)
    return found
