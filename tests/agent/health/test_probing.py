"""Live: what a self-probe says is recorded by the agent's own parts; where one of them does nothing, it is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import cgroup, entering, skip_without_kernel, unified_hierarchy
from support.kubelet import container_id, kubelet
from support.live_node import live_node, statuses
from support.pod_api import pod_api
from support.watched_node import WatchedNode, watched_node

from chaperone.agent.health.probing import NAME, SelfProbe, is_heard, remove_stale
from chaperone.agent.health.state import Outcome
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import TlsBytes, Value
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction

UID = "0a1b2c3d-0000-4000-8000-00000000000a"
SHORT_S = 2.0  # that a self-probe is waited for which can't be seen


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


def seen(node: WatchedNode) -> int:
    return node.probe.health.counts[Outcome.SEEN]


@pytest.mark.kernel
def test_what_it_says_is_recorded_and_leaves_nothing(tracer: Tracer) -> None:
    with watched_node(tracer) as node:
        assert not node.probe.health.is_ready
        node.until(lambda: seen(node) == 3)
        assert node.probe.health.is_ready and node.probe.health.seconds > 0
        node.probe.close()
        for _ in range(5):
            node.recording.step()
        assert node.records() == [] and node.recording.streams.chunks >= 6
        recording = node.recording
        assert (recording.sessions, recording.ids, recording.apiservers, recording.undecided._kept) == ({}, {}, {}, {})
        assert not recording.lineage.living and not recording.connections._open and not recording.streams._open
        assert not recording.gate.watched and not recording.gate.hooks.links
        assert not list(unified_hierarchy().glob(f"{NAME}{os.getpid()}"))


@pytest.mark.kernel
def test_below_a_container_that_is_not_governed_it_is_seen_alone(tracer: Tracer, tmp_path: Path) -> None:
    """The agent's own, which is where it can move a process to."""
    with pod_api(tmp_path) as api, kubelet() as made, live_node(tracer, api, made) as node:
        node.put("agent", UID, status=statuses(("agent", container_id("agent"))))
        container = made.container(UID, container_id("agent"))
        process = made.start(container, ["sleep", "600"], stdout=-3)
        node.ready()
        node.until(lambda: node.node.workloads._ignored)
        node.recording.watch = probe = SelfProbe(node.recording, container, 0.0, 60.0)
        node.until(lambda: probe.health.counts[Outcome.SEEN] == 3 or probe.health.failures)
        probe.close()
        assert probe.health.is_ready and node.records == [] and not node.recording.sessions
        made.remove(container)
        process.wait()


@pytest.mark.kernel
def test_in_a_cgroup_namespace_its_place_is_found(tmp_path: Path) -> None:
    """There /proc says that we are at the root."""
    skip_without_kernel()
    script = "from chaperone.agent.health.probing import own_place; print(own_place(), open('/proc/self/cgroup').read())"
    with cgroup() as path:
        enter = [*entering(path), "unshare", "--cgroup", sys.executable, "-c", script]
        place, about = subprocess.run(enter, capture_output=True, text=True, check=True).stdout.split(maxsplit=1)
    assert place == str(path) and "0::/\n" in about


@pytest.mark.kernel
def test_without_probes_it_is_not_ready(tracer: Tracer) -> None:
    with watched_node(tracer) as node:
        node.until(lambda: seen(node))
        node.probe.patience_s = SHORT_S
        for probed in tracer.files.probed.values():
            tracer.kernel.detach(probed.descriptors)
            probed.descriptors.clear()
        node.until(lambda: not node.probe.health.is_ready)
        assert node.probe.health.counts[Outcome.UNSEEN] == 2
        assert node.probe.health.why == "what a self-probe said over TLS was not recorded within 2 s"
        tracer.files.probed.clear()  # they are looked into again
        node.probe.patience_s = 60
        node.until(lambda: node.probe.health.is_ready)


@pytest.mark.kernel
def test_without_its_ring_it_is_not_ready(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched_node(tracer) as node:
        node.until(lambda: seen(node))
        node.probe.patience_s = SHORT_S
        monkeypatch.setattr(tracer.kernel, "consume", lambda: None)
        node.until(lambda: node.probe.health.failures >= 2)
        assert not node.probe.health.is_ready and node.probe.health.counts[Outcome.UNSEEN] >= 2


@pytest.mark.kernel
def test_a_part_of_it_is_not_enough(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers alone: a probe that is missing on SSL_write."""

    def without_writes(timeout_ms: int) -> list[Value]:
        return [value for value in poll(timeout_ms) if not (isinstance(value, TlsBytes) and value.direction is Direction.OUT)]

    with watched_node(tracer, SHORT_S) as node:
        poll = tracer.poll
        monkeypatch.setattr(tracer, "poll", without_writes)
        node.until(lambda: node.probe.health.failures >= 1)
        assert seen(node) == 0


@pytest.mark.kernel
def test_one_that_cannot_begin_says_why(tracer: Tracer, tmp_path: Path) -> None:
    with watched_node(tracer, place=tmp_path / "none") as node:
        node.until(lambda: node.probe.health.failures >= 2)
        assert node.probe.health.counts[Outcome.UNDONE] >= 2
        assert node.probe.health.why == "a self-probe could not begin: No such file or directory"
        assert node.recording.sessions == {} and node.tracer.tops == {}


@pytest.mark.kernel
def test_one_whose_process_fails_says_so(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched_node(tracer) as node:
        node.until(lambda: seen(node))
        monkeypatch.setattr(sys, "executable", "/bin/false")
        node.until(lambda: node.probe.health.failures)
        assert node.probe.health.why in ("the process of a self-probe ended with 1", "a self-probe could not begin: Broken pipe")


def test_what_a_dead_agent_left_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/true"]) as dead:
        dead.wait()
    for name in (f"{NAME}{dead.pid}", f"{NAME}{os.getpid()}", "other"):
        (tmp_path / name).mkdir()
    remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"{NAME}{os.getpid()}", "other"])


QUESTION = b"abc\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("s", 0, 0, QUESTION), ("s", 1, 0, b"\ncba")], True),
        ([("s", 0, 0, b"ab"), ("s", 1, 0, b"\ncba"), ("s", 0, 2, b"c\n")], True),
        ([("s", 0, 0, QUESTION)], False),
        ([("s", 0, 0, QUESTION), ("t", 1, 0, b"\ncba")], False),
        ([("s", 0, 1, b"bc\n"), ("s", 1, 0, b"\ncba")], False),
        ([("s", 0, 0, QUESTION), ("s", 1, 0, b"\ncba"), ("s", 1, 4, b"more")], False),
        ([], False),
    ],
)
def test_one_stream_must_have_it_whole(said: list[tuple[str, int, int, bytes]], expected: bool) -> None:
    chunks = [Chunk(StreamId(stream), Direction(direction), position, data, 0) for stream, direction, position, data in said]
    assert is_heard(chunks, QUESTION) is expected
