"""A second agent for a node's pods, as a process: it waits, probes nothing, and ends when it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.deliver.spool import lock_of

pytestmark = pytest.mark.kernel


def test_a_second_agent_does_not_begin_beside_the_first(tmp_path: Path) -> None:
    skip_without_kernel()
    assert lock_of(tmp_path) is not None
    options = ["--pods", "--api", "127.0.0.1:1", "--node", "n1", "--spool", tmp_path, "--socket", tmp_path / "nobody.sock"]
    command = [sys.executable, "-m", "chaperone.agent", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
        assert second.stderr and second.stdout
        assert "waits for another agent of this node to end" in second.stderr.readline()
        second.send_signal(signal.SIGTERM)
        assert second.wait(60) == 0 and second.stdout.read() == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lock"], "it had nothing to keep"
