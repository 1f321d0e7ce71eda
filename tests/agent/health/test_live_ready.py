"""Live: the agent's own process, asked as a kubelet asks it; its collector hears nothing of self-probes."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.asked_port import asked
from support.collector_double import CollectorDouble
from support.kernel import cgroup, skip_without_kernel
from support.tls_directories import authority, tls_directory

from chaperone.agent.health.front import AGAIN_S
from chaperone.collector.identity.certificates import Subject
from chaperone.proto.records import SessionEnded, SessionStarted

pytestmark = pytest.mark.kernel


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def answered(port: int) -> int:
    try:
        return asked(port, "/readyz")[0]
    except OSError:
        return 0


def test_an_agent_says_that_it_is_ready_when_it_records(tmp_path: Path) -> None:
    skip_without_kernel()
    collector, port = CollectorDouble(tmp_path / "collector.sock"), free_port()
    collector.start()
    tls = tls_directory(tmp_path / "tls", authority(), Subject("chaperone-agent"))
    options = ["--socket", str(collector.socket), "--tls", str(tls), "--spool", str(tmp_path / "spool")]
    with cgroup() as governed:
        command = [sys.executable, "-m", "chaperone.agent", "--cgroup", str(governed), "--health", f"127.0.0.1:{port}", "--self-probe", "1"]
        with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as agent:
            deadline = time.monotonic() + 120
            while answered(port) != 200:
                assert agent.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            while 'outcome="seen"} 3' not in asked(port, "/metrics", tls)[1]:
                assert agent.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            time.sleep(AGAIN_S)  # nothing of it begins again while the agent ends
            agent.send_signal(signal.SIGTERM)
            said = agent.communicate(timeout=120)[1]
            assert agent.returncode == 0, said
    collector.stop()
    assert "chaperone agent: ready: a self-probe was recorded" in said
    assert answered(port) == 0
    told = list(collector.records())
    assert [type(record) for record in told] == [SessionStarted, SessionEnded]
    assert told[0].workload == str(governed)
