"""Recordings of real clients with the apiserver's audit log beside them, run through wire and kube.

All of shared/fixtures/wire when it is there, else the few in tests/captures.
"""

import base64
import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from chaperone.collector.kube.call import Call, NotKubernetes, Piece
from chaperone.collector.kube.calls import Calls
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.exchange import Exchanges, Phase
from chaperone.proto.records import Direction

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/fixtures/wire"
CAPTURES = ROOT / "tests/captures"
_DIRECTIONS = {"c2s": Direction.OUT, "s2c": Direction.IN}
Chunks = list[tuple[Direction, bytes, int]]
Reports = list[Call | NotKubernetes]


@dataclass(frozen=True)
class Recording:
    """One TLS connection: its chunks in order, and the truth about it."""

    name: str
    chunks: Chunks
    truth: dict[str, Any]

    @property
    def audit(self) -> list[dict[str, Any]]:
        return list(self.truth["audit"])


def names() -> list[str]:
    """Every recording that has its truth beside it."""
    folder = SHARED if SHARED.exists() else CAPTURES
    return sorted(path.name.removesuffix(".truth.json") for path in folder.glob("*.truth.json"))


def recording(name: str) -> Recording:
    folder = SHARED if (SHARED / f"{name}.jsonl.gz").exists() else CAPTURES
    lines = [json.loads(line) for line in gzip.decompress((folder / f"{name}.jsonl.gz").read_bytes()).splitlines()]
    chunks = [(_DIRECTIONS[line["d"]], base64.b64decode(line["b"]), int(line["t"] * 1e9)) for line in lines if "b" in line]
    return Recording(name, chunks, json.loads((folder / f"{name}.truth.json").read_text()))


def reports(chunks: Iterable[tuple[Direction, bytes, int]], apiservers: frozenset[str] = frozenset()) -> Reports:
    """Every report that a stream of these chunks gives."""
    reader, exchanges, calls = StreamReader(), Exchanges(), Calls(apiservers)
    found: list[Call | NotKubernetes | None] = []
    positions, time = [0, 0], 0
    for direction, data, time in chunks:
        found += [calls.take(exchange) for exchange in exchanges.add(reader.feed(direction, positions[direction], data, time))]
        positions[direction] += len(data)
    found += [calls.take(exchange) for exchange in exchanges.add(reader.close(time))]
    found += [calls.take(exchange) for exchange in exchanges.close(time)]
    return [report for report in found if report is not None]


def finals(found: Reports) -> list[Call]:
    """The last report of each call, in order of their requests."""
    return sorted((report for report in found if isinstance(report, Call) and report.phase is Phase.END), key=lambda call: call.position)


def pieces(found: Reports, position: int) -> list[Piece]:
    """All pieces of one call."""
    return [piece for report in found if isinstance(report, Call) and report.position == position for piece in report.pieces]


def recut(chunks: Sequence[tuple[Direction, bytes, int]], seed: int) -> Chunks:
    """The same bytes cut elsewhere: random runs of one direction, in the same order between directions."""
    rng = random.Random(seed)
    return [(direction, data[a:b], time) for direction, data, time in chunks for a, b in pairwise(_edges(rng, len(data)))]


def one_piece(chunks: Iterable[tuple[Direction, bytes, int]]) -> Chunks:
    """Each direction whole, the client's first."""
    sides = {direction: b"".join(data for side, data, _ in chunks if side is direction) for direction in Direction}
    return [(direction, data, 1) for direction, data in sides.items() if data]


def every_byte(chunks: Iterable[tuple[Direction, bytes, int]]) -> Chunks:
    """One byte at a time."""
    return [(direction, data[i : i + 1], time) for direction, data, time in chunks for i in range(len(data))]


def _edges(rng: random.Random, size: int) -> list[int]:
    return sorted({0, size, *(rng.randrange(size) for _ in range(rng.randrange(4)))}) if size else [0]
