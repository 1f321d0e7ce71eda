"""Enforcers that are killed or hang, in each state: nobody stays stopped, and what was not decided is what its policy says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from support import dying_enforcer
from support.enforced import CLIENT, until
from support.kernel import cgroup, entering, skip_without_kernel
from support.memory_group import leave, memory_group

pytestmark = pytest.mark.kernel
PROGRAM = """
import pathlib, time
result, go = pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
tls.sendall(b"GET / HTTP/1.1\\r\\n")
while not go.exists(): time.sleep(0.01)
tls.sendall(b"\\r\\n")
result.write_text(tls.recv(12).decode())
"""
ENDS, LIVES = "killed", "HTTP/1.1 200"
SENT = b"GET / HTTP/1.1\r\n\r\n"


Enforcer: TypeAlias = "subprocess.Popen[str]"
End = Callable[[Enforcer], None]


def killed(enforcer: Enforcer) -> None:
    enforcer.kill()


def fate_of(state: str, on_failure: str, server, folder: Path, end: End = killed, within: tuple[str, ...] = ()) -> str:
    """What the client read, or that it was killed, when its enforcer came to an end in a state. `within`: what the enforcer is begun by."""
    result, go = folder / "result", folder / "go"
    if state in ("holding", "answering"):
        go.touch()
    with cgroup() as path:
        client = [sys.executable, "-c", CLIENT + PROGRAM, str(server.port), str(server.certificate), str(result), str(go)]
        command = [*within, sys.executable, dying_enforcer.__file__, state, on_failure, str(path), *client]
        environment = {**os.environ, "PYTHONPATH": str(Path(dying_enforcer.__file__).parents[1])}
        with subprocess.Popen(command, stdout=-1, text=True, env=environment) as enforcer:
            assert enforcer.stdout is not None
            pid = int(enforcer.stdout.readline())
            if within:
                leave(pid)
            assert enforcer.stdout.readline() == "now\n"
            end(enforcer)
            assert enforcer.wait(60) == -signal.SIGKILL
        time.sleep(0.1)
        go.touch()
        until(lambda: not Path(f"/proc/{pid}").exists())
    return result.read_text() if result.exists() else ENDS


@pytest.mark.parametrize(
    ("state", "on_failure", "fate", "leaves"),
    [
        ("idle", "allow", LIVES, SENT),
        ("idle", "deny", LIVES, SENT),  # what it sends from then on is the egress program's to stop
        ("holding", "allow", LIVES, SENT),
        ("holding", "deny", ENDS, b""),
        ("gathering", "allow", ENDS, b""),
        ("gathering", "deny", ENDS, b""),
        ("answering", "allow", ENDS, b"GET /healthz HTTP/1.1\r\n"),
        ("answering", "deny", ENDS, b"GET /healthz HTTP/1.1\r\n"),
    ],
)
def test_an_enforcer_is_killed(tmp_path, server, state, on_failure, fate, leaves) -> None:
    skip_without_kernel()
    assert fate_of(state, on_failure, server, tmp_path) == fate
    assert server.finished()[0][0].startswith(leaves) and bool(server.finished()[0][0]) == bool(leaves)


def test_one_that_is_frozen_is_killed(tmp_path, server) -> None:
    skip_without_kernel()
    assert fate_of("holding", "allow", server, tmp_path, lambda enforcer: enforcer.send_signal(signal.SIGSTOP)) == LIVES


@pytest.mark.parametrize(("on_failure", "fate", "leaves"), [("allow", LIVES, SENT), ("deny", ENDS, b"")])
def test_one_that_has_no_memory_left_is_killed(tmp_path, server, on_failure, fate, leaves) -> None:
    """While it holds; by the kernel, as soon as it really uses more than its cgroup may have."""
    skip_without_kernel()
    with memory_group() as group:

        def grow(enforcer: Enforcer) -> None:
            group.end()
            enforcer.send_signal(dying_enforcer.GROW)

        assert fate_of("holding", on_failure, server, tmp_path, grow, tuple(entering(group.path))) == fate
        assert group.kills() == 1
    assert server.finished()[0][0] == leaves
