"""Agents with two collectors over one database, mutual TLS between them: one collector is killed while all talk."""

import itertools
import time
from pathlib import Path

from load.nodes import Node, Target
from load.replay import talks
from support.collectors import ask, collector, kill, start
from support.receivers import free_port
from support.shared_database import Shared
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.agent.deliver.route import route
from chaperone.collector.identity.caller import AGENTS
from chaperone.collector.identity.certificates import Subject
from chaperone.proto.records import Record

DEADLINE_S = 120
LONG = next(talk for talk in talks() if talk.name == "py-agent.1.jsonl.gz")  # goes on while its collector dies


def test_of_what_agents_say_nothing_is_lost_or_there_twice_when_a_collector_is_killed(tmp_path: Path, shared: Shared) -> None:
    parent, ports = authority(), [free_port(), free_port()]
    server = tls_directory(tmp_path / "tls", parent, SERVER)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    target = Target(",".join(addresses), tls_directory(tmp_path / "agents", parent, Subject("node", (AGENTS,))))
    options = [["--listen", address, "--tls", str(server), *shared.options] for address in addresses]
    killed = start(tmp_path / "0", *options[0])
    with collector(tmp_path / "1", *options[1]):
        nodes = [Node(name, 2, target) for name in names(addresses)]
        begun = [cut(node) for node in nodes]
        for node, (first, _) in zip(nodes, begun, strict=True):
            node.put(first)
            assert node.outbox.wait_empty(DEADLINE_S), "it is stored, and not said again"
        said = [half(node) for node in nodes]
        kill(killed)
        for node, (_, rest) in zip(nodes, begun, strict=True):
            node.put(rest)
        calls = sum(said) + sum(half(node) for node in nodes) + LONG.calls * len(nodes)
        assert all(node.finish() for node in nodes)
        assert [node.outbox.lost + node.outbox.left_out for node in nodes] == [0] * len(nodes)
        rows = ask(tmp_path / "1", "sessions.list")
        assert [(row["complete"], row["missing"]) for row in rows] == [(True, [])] * 2 * len(nodes)
        assert sum(row["calls"] for row in rows) == calls
        assert len(ask(tmp_path / "1", "calls.list", limit=10_000)) == calls


def names(addresses: list[str]) -> list[str]:
    """Two nodes that prefer each of them."""
    firsts = {address: [f"node-{n}" for n in range(50) if route(addresses, f"node-{n}")[0].target == address][:2] for address in addresses}
    return [name for found in firsts.values() for name in found]


def cut(node: Node) -> tuple[list[Record], list[Record]]:
    """A connection of the first pod in two parts."""
    records = node.pods[0].replay(LONG, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    middle = next(at for at, record in enumerate(records) if getattr(record, "position", 0)) + 3
    return records[:middle], records[middle:]


def half(node: Node) -> int:
    """Some connections, of which not all can have been stored when this returns; calls."""
    calls, until = 0, time.monotonic() + DEADLINE_S
    for talk in itertools.islice(itertools.cycle(talks()), 20):
        while not node.is_free():
            assert time.monotonic() < until, node.uplink.trouble
            time.sleep(0.01)
        calls += node.replay(talk)
    return calls
