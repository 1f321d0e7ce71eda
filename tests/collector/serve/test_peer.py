"""Who is at the other end: real processes, real sockets, and a cgroup named as a run's where one can be made."""

import os
import pwd
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.kernel import entering

from chaperone.collector.cli.launch.cgroup import PREFIX, RunCgroup, own_group
from chaperone.collector.serve import peer as module
from chaperone.collector.serve.peer import RUN_CGROUP, Peer, PeerError, peer_of

CONNECTS = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'x'); sys.stdin.read()"
FORKS = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {CONNECTS!r}, sys.argv[1]], stdin=sys.stdin)"


@contextmanager
def connected(
    tmp_path: Path, program: str = CONNECTS, group: Path | None = None
) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """A connection of another process, which runs in a cgroup."""
    path = str(tmp_path / f"{secrets.token_hex(2)}.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        process = subprocess.Popen([*(entering(group) if group else ()), sys.executable, "-c", program, path], stdin=subprocess.PIPE)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b"x"
            yield connection, process
            process.communicate()


def test_the_kernel_says_who_it_is(tmp_path: Path) -> None:
    with connected(tmp_path) as (connection, process):
        found = peer_of(connection)
    assert found == Peer(pwd.getpwuid(os.getuid()).pw_name, os.getuid(), process.pid, found.login)
    assert found.how.startswith(f"local socket, uid {os.getuid()}, pid {process.pid}")
    assert Peer("root", 0, 7, "ann").how == "local socket, uid 0, pid 7, logged in as ann"


def test_one_that_is_gone_decides_nothing(tmp_path: Path) -> None:
    with connected(tmp_path) as (connection, process):
        process.communicate()
        with pytest.raises(PeerError, match="who asked is gone"):
            peer_of(connection)


def test_one_that_ends_while_it_is_looked_at_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(tmp_path) as (connection, process):

        def login(pid: int) -> str:
            process.communicate()
            return ""

        monkeypatch.setattr(module, "_login", login)
        with pytest.raises(PeerError, match="who asked is gone"):
            peer_of(connection)


@pytest.fixture
def run_group() -> Iterator[Path]:
    """The cgroup of a run, as `chaperone run` makes it."""
    assert f"/{PREFIX}" == RUN_CGROUP
    if os.geteuid():
        pytest.skip("making a cgroup needs root")
    group = RunCgroup(own_group())
    group.make()
    yield group.path
    group.remove()


@pytest.mark.kernel
@pytest.mark.parametrize("program", [CONNECTS, FORKS], ids=["itself", "its child"])
def test_a_process_inside_a_governed_run_decides_nothing(tmp_path: Path, run_group: Path, program: str) -> None:
    with connected(tmp_path, program, run_group) as (connection, _), pytest.raises(PeerError, match="belongs to a governed run"):
        peer_of(connection)


@pytest.mark.kernel
def test_nor_does_one_that_left_the_cgroup_while_its_parent_is_inside(tmp_path: Path, run_group: Path) -> None:
    """As `sudo` might be moved to a session of its own."""
    leaves = f"import os; open({str(run_group.parent / 'cgroup.procs')!r}, 'w').write(str(os.getpid())); {CONNECTS}"
    program = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {leaves!r}, sys.argv[1]], stdin=sys.stdin)"
    with connected(tmp_path, program, run_group) as (connection, _), pytest.raises(PeerError, match="belongs to a governed run"):
        peer_of(connection)
