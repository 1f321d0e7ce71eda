"""Captures of upgraded exchanges, split at their heads: what the readers behind a 101 are tested with."""

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.channels import Channels
from chaperone.collector.wire.events import Event, Upgraded
from chaperone.collector.wire.reader import Reader
from chaperone.collector.wire.spdy import SpdyReader
from chaperone.collector.wire.tunnel import SpdyInWebSocketReader
from chaperone.collector.wire.websocket import WebSocketReader
from chaperone.proto.records import Direction

CAPTURES = Path(__file__).parents[1] / "captures"
RECORDED = ("exec-ws.2", "exec-ws-tty.2", "exec-spdy.2", "exec-spdy-stdin.2", "cp.2", "portforward-ws.2")
NAMES = (*(f"kubectl-{name}" for name in RECORDED), "node-ws", "node-spdy")


@dataclass(frozen=True)
class Upgrade:
    """`lines` are (direction, bytes) behind the heads, as recorded; `positions` those of the first such bytes."""

    uri: str
    headers: dict[str, str]
    positions: tuple[int, int]
    lines: tuple[tuple[Direction, bytes], ...]
    first: dict[str, Any]

    @property
    def subprotocol(self) -> str:
        return self.headers.get("sec-websocket-protocol") or self.headers.get("x-stream-protocol-version", "")

    def reader(self) -> Reader:
        if self.headers["upgrade"] == "SPDY/3.1":
            return SpdyReader(0, self.positions)
        return SpdyInWebSocketReader(0, self.positions) if "SPDY" in self.subprotocol else WebSocketReader(0, self.positions)

    def channels(self) -> Channels:
        return Channels(Upgraded(0, 0, 0, self.headers["upgrade"], self.subprotocol), self.uri)


def load(name: str) -> Upgrade:
    """The capture `name`."""
    text = gzip.decompress((CAPTURES / f"{name}.jsonl.gz").read_bytes()).decode()
    first, *lines = [json.loads(line) for line in text.splitlines()]
    data = [(Direction(int(line["d"] == "s2c")), base64.b64decode(line["b"])) for line in lines if "b" in line]
    whole = [b"".join(each for direction, each in data if direction == wanted) for wanted in Direction]
    positions = (_behind_head(whole[0]), _behind_head(whole[1]))
    head = whole[1][: positions[1]].decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head) if value}
    return Upgrade(whole[0].split(b" ")[1].decode(), headers, positions, tuple(_behind(data, positions)), first)


def truth(name: str) -> dict[str, Any]:
    """What the client printed, and the apiserver's audit events."""
    found: dict[str, Any] = json.loads((CAPTURES / f"{name}.truth.json").read_text())
    return found


def read_apart(upgrade: Upgrade, pieces: Iterable[tuple[Direction, bytes]]) -> list[Event]:
    """All events of `pieces`, closed; nothing joined."""
    reader, positions = upgrade.reader(), list(upgrade.positions)
    events: list[Event] = []
    for direction, data in pieces:
        events += reader.feed(direction, positions[direction], data, 1)
        positions[direction] += len(data)
    return events + reader.close(1)


def understood(upgrade: Upgrade, events: list[Event]) -> tuple[list[Piece], Exit | None]:
    """The pieces that `events` bring, and how the command ended."""
    channels = upgrade.channels()
    return channels.take(tuple(events)), channels.exit


def _behind_head(data: bytes) -> int:
    return data.index(b"\r\n\r\n") + 4


def _behind(data: list[tuple[Direction, bytes]], positions: tuple[int, int]) -> list[tuple[Direction, bytes]]:
    left = list(positions)
    result = []
    for direction, each in data:
        skip = min(left[direction], len(each))
        left[direction] -= skip
        if each[skip:]:
            result.append((direction, each[skip:]))
    return result
