"""Recordings of real clients, replayed as N nodes with M pods each over gRPC with mutual TLS into one real collector.

Usage: python -m load.run [--nodes N] [--pods M] [--calls C] [--rate R] [-o text|json]

Each node is an agent's own outbox and uplink. With --rate so many calls a second are replayed, else as many as are taken.
Reported: calls a second until all are durable, how long a batch waited for its ack, the collector's CPU by thread and its memory, bytes
of store a call. The replaying itself runs on the same machine, and so does whatever else does: both are told.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from load.meter import Meter
from load.nodes import Node, Target
from load.replay import talks
from support.collectors import ask, collector
from support.receivers import free_port
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.collector.identity.caller import AGENTS
from chaperone.collector.identity.certificates import Subject

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Size:
    """How much is replayed. `rate`: calls a second; 0: as many as are taken."""

    nodes: int
    pods: int
    calls: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """`threads`: seconds of CPU; `faults`: whatever must not be."""

    calls: int
    plaintext: int
    seconds: float
    lag_median_s: float
    lag_99_s: float
    lag_most_s: float
    threads: dict[str, float]
    replay_cpu_s: float
    idle_s: float
    memory: int
    memory_before: int
    stored: int
    load: float
    faults: list[str]


def measure(size: Size, place: Path, *options: str) -> Result:
    """Replay so much into a new collector with these options."""
    parent = authority()
    server = tls_directory(place / "tls", parent, SERVER)
    target = Target(f"127.0.0.1:{free_port()}", tls_directory(place / "agents", parent, Subject("node", (AGENTS,))))
    with collector(place / "store", "--listen", target.address, "--tls", str(server), *options, module="load.collector") as process:
        meter, began, own = Meter(process.pid), time.monotonic(), time.process_time()
        nodes = [Node(f"node-{number}", size.pods, target) for number in range(size.nodes)]
        calls, plaintext = _replay(nodes, size)
        acked = [node.finish() for node in nodes]
        seconds, own = time.monotonic() - began, time.process_time() - own
        idle = meter.close()
        faults = [] if all(acked) else ["a node was not told that all is durable"]
        faults += list(_faults(place / "store", nodes, calls))
    lags = sorted(lag for node in nodes for lag in node.outbox.lags)
    return Result(
        calls,
        plaintext,
        seconds,
        statistics.median(lags),
        lags[len(lags) * 99 // 100],
        lags[-1],
        {name: round(used, 2) for name, used in meter.used.most_common() if used >= 0.01},
        own,
        idle,
        meter.most,
        meter.first.resident,
        sum(path.stat().st_size for path in (place / "store/clickhouse").rglob("*") if path.is_file()),
        os.getloadavg()[0],
        faults,
    )


def _replay(nodes: list[Node], size: Size) -> tuple[int, int]:
    """Calls, and bytes of plaintext."""
    calls = plaintext = 0
    began = time.monotonic()
    for talk, node in zip(itertools.cycle(talks()), itertools.cycle(nodes), strict=False):
        if calls >= size.calls:
            return calls, plaintext
        while not node.is_free() or (size.rate and calls > (time.monotonic() - began) * size.rate):
            time.sleep(0.002)
        calls += node.replay(talk)
        plaintext += talk.size
    raise AssertionError("cycles do not end")


def _faults(store: Path, nodes: list[Node], calls: int) -> Iterator[str]:
    """Whatever is not recorded as it was said."""
    given_up = sum(node.outbox.lost + node.outbox.left_out for node in nodes)
    if given_up:
        yield f"{given_up} bytes or facts were given up by agents"
    sessions = {pod.session for node in nodes for pod in node.pods}
    found = sum(row["calls"] for row in ask(store, "sessions.activity") if row["session"] in sessions)
    if found != calls:
        yield f"{found} calls are recorded, {calls} were replayed"
    if still := len([row for row in ask(store, "sessions.open") if row["session"] in sessions]):
        yield f"{still} sessions are not over"


def report(size: Size, found: Result) -> Iterator[str]:
    """For people."""
    wanted = f"{size.rate:.0f} calls/s wanted" if size.rate else "as many as are taken"
    yield f"{size.nodes} nodes x {size.pods} pods, {found.calls} calls of {found.plaintext / MIB:.1f} MiB plaintext, {wanted}"
    speed = f"{found.calls / found.seconds:10.0f} calls/s, {found.plaintext / found.seconds / MIB:.2f} MiB/s"
    yield f"taken      {speed}, all durable after {found.seconds:.1f} s"
    yield f"lag        {found.lag_median_s:10.2f} s median, {found.lag_99_s:.2f} s 99 %, {found.lag_most_s:.2f} s at most, batch to ack"
    yield f"memory     {found.memory / MIB:10.0f} MiB at most ({found.memory_before / MIB:.0f} MiB before)"
    yield f"store      {found.stored / found.calls:10.0f} bytes a call"
    for name, used in list(found.threads.items())[:8]:
        yield f"  {name:16} {used / found.seconds:6.0%} of a processor, {1e3 * used / found.calls:.2f} ms a call"
    yield f"replaying  {found.replay_cpu_s / found.seconds:10.0%} of a processor; {found.idle_s / found.seconds:.0%} of one were idle"
    yield f"machine    {os.cpu_count():10} processors, load {found.load:.1f}"
    yield from (f"fault: {fault}" for fault in found.faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--nodes", 50), ("--pods", 10), ("--calls", 20_000)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    given = parser.parse_args()
    size = Size(given.nodes, given.pods, given.calls, given.rate)
    with tempfile.TemporaryDirectory() as place:
        found = measure(size, Path(place))
    print(json.dumps(asdict(found)) if given.output == "json" else "\n".join(report(size, found)))
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
