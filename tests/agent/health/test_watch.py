"""Live: one agent's parts, asked over TLS while its capture works and while it does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.asked_port import asked
from support.kernel import skip_without_kernel
from support.tls_directories import authority, tls_directory
from support.watched_node import watched_node

from chaperone.agent.deliver.backlog import Backlog
from chaperone.agent.health.front import Front
from chaperone.agent.health.watch import Watch
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.collector.identity.certificates import Subject

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


def test_it_is_ready_while_what_it_says_is_recorded(tracer: Tracer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = tls_directory(tmp_path / "agent", authority(), Subject("chaperone-agent"))
    said: list[str] = []
    with watched_node(tracer) as node:
        watch = Watch(
            node.probe, Front(("127.0.0.1", 0), tls, said.append), lambda: Backlog(disk=300), lambda _level, text: said.append(text)
        )
        node.recording.watch = watch
        port = watch.front.port
        node.until(lambda: watch.front.pid and node.probe.health.is_ready)
        node.until(lambda: asked(port, "/readyz") == (200, "ok\n"))
        assert 'chaperone_agent_self_probes_total{outcome="seen"}' in asked(port, "/metrics", tls)[1]
        assert 'chaperone_agent_spool_bytes{of="this"} 300' in asked(port, "/metrics", tls)[1]
        node.probe.patience_s = 2.0
        monkeypatch.setattr("chaperone.agent.health.state.HOPELESS", 3)
        monkeypatch.setattr(tracer.kernel, "consume", lambda: None)
        node.until(lambda: asked(port, "/readyz") == (503, "no\n"))
        assert asked(port, "/healthz") == (200, "ok\n")
        node.until(lambda: not node.probe.health.is_alive and asked(port, "/healthz") == (503, "no\n"))
        watch.close()
    assert said == ["ready: a self-probe was recorded", "not ready: what a self-probe said over TLS was not recorded within 2 s"]
