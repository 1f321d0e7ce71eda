"""A small part of `make load`; and that it would notice."""

from dataclasses import replace
from pathlib import Path

import pytest
from load import nodes, run
from load.meter import reading
from load.nodes import Node
from load.replay import Pod, Talk, talks
from load.run import Size, measure, report


def test_what_many_nodes_replay_is_recorded_once_and_whole(tmp_path: Path) -> None:
    size = Size(nodes=3, pods=2, calls=60)
    found = measure(size, tmp_path)
    assert found.faults == []
    assert found.calls >= 60
    assert found.threads["pipeline"] > 0 and found.memory > found.memory_before > 0
    assert 0 < found.lag_median_s <= found.lag_99_s <= found.lag_most_s
    told = "\n".join(report(size, found))
    assert "3 nodes x 2 pods" in told and "fault" not in told


def test_what_is_not_recorded_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(node: Node, talk: Talk) -> int:
        return talk.calls if node.pods[0].node == "node-1" else replayed(node, talk)

    replayed = nodes.Node.replay
    monkeypatch.setattr(run.Node, "replay", forgetful)
    [fault] = measure(Size(nodes=2, pods=1, calls=10), tmp_path).faults
    assert fault.endswith("calls are recorded, 10 were replayed")


def test_each_replay_has_ids_of_its_own() -> None:
    pod, talk = Pod("boot", "node", 0, 5), talks()[0]
    streams = {record.stream for begun in (pod, replace(pod, number=1)) for time in (6, 7) for record in begun.replay(talk, time)}  # type: ignore[attr-defined]
    assert len(streams) == 4
    assert pod.session != replace(pod, number=1).session


def test_a_reading_knows_threads_and_memory() -> None:
    found = reading(1)
    assert found.threads and found.resident > 0 and found.idle > 0
