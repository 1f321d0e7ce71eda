"""Recorded connections as the readers take them, and the truth beside them."""

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaperone.collector.wire.events import Event
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.collector.wire.reader import Reader
from chaperone.proto.records import Direction

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/fixtures/wire"
KEPT = ROOT / "tests/captures"
_DIRECTIONS = {"c2s": Direction.OUT, "s2c": Direction.IN}


@dataclass(frozen=True)
class Chunk:
    direction: Direction
    position: int
    data: bytes
    time: int


def names(directory: Path) -> list[str]:
    return sorted(path.name.removesuffix(".jsonl.gz") for path in directory.glob("*.jsonl.gz"))


def chunks(directory: Path, name: str) -> list[Chunk]:
    positions = [0, 0]
    result = []
    for line in gzip.open(directory / f"{name}.jsonl.gz", "rt").read().splitlines()[1:]:
        if encoded := (entry := json.loads(line)).get("b"):
            direction, data = _DIRECTIONS[entry["d"]], base64.b64decode(encoded)
            result.append(Chunk(direction, positions[direction], data, 1 + int(entry["t"] * 1e9)))
            positions[direction] += len(data)
    return result


def truth(directory: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((directory / f"{name}.truth.json").read_text())
    return document


def exchanges(reader: Reader, fed: list[Chunk]) -> list[Exchange]:
    """Every report, of a stream fed in this order and closed."""
    collected, reports = Exchanges(), []
    end = max(chunk.time for chunk in fed) + 1 if fed else 1
    for chunk in fed:
        reports += collected.add(reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time))
    reports += collected.add(reader.close(end))
    return reports + collected.close(end)


def ended(reports: list[Exchange]) -> list[Exchange]:
    """The last state of each exchange, in order of their requests."""
    return sorted((report for report in reports if report.phase == Phase.END), key=lambda report: report.position)


def events(reader: Reader, fed: list[Chunk]) -> list[Event]:
    end = max(chunk.time for chunk in fed) + 1 if fed else 1
    return [e for chunk in fed for e in reader.feed(chunk.direction, chunk.position, chunk.data, chunk.time)] + reader.close(end)
