"""Real processes, cgroups and sockets that end."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.kernel import entering

from chaperone.agent.ending import ends as module
from chaperone.agent.ending.ends import ENDED, SO_COOKIE, group_ended, process_ended, socket_ended, socket_reset, tcp_of
from chaperone.agent.workload.processes import TICK_NS, started_ns
from chaperone.collector.cli.launch.cgroup import RunCgroup, own_group

SLEEPS = [sys.executable, "-c", "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"]
FORKS = [sys.executable, "-c", "import os,time\nprint(flush=True)\nwhile True:\n if os.fork(): os._exit(0)\n time.sleep(0.001)"]


def begun(command: list[str], group: Path | None = None) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([*(entering(group) if group else ()), *command], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"\n"
    return process


def start_of(process: "subprocess.Popen[bytes]") -> int:
    found = started_ns(process.pid)
    assert found
    return found


def test_a_process_ends_whatever_it_does_about_signals() -> None:
    process = begun(SLEEPS)
    assert process_ended(process.pid, start_of(process) + TICK_NS // 2) == ENDED
    assert process.wait(0) == -9


def test_one_that_has_the_number_of_another_is_left_alone() -> None:
    process = begun(SLEEPS)
    assert process_ended(process.pid, start_of(process) - 10 * TICK_NS) == ENDED, "that one is gone"
    assert process.poll() is None
    process.kill()
    process.wait()
    assert process_ended(process.pid, 1) == ENDED


def test_one_that_does_not_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    monkeypatch.setattr(module.signal, "pidfd_send_signal", lambda *_: None)
    process = begun(SLEEPS)
    assert process_ended(process.pid, start_of(process)) == "it has not ended within 0.05 s of SIGKILL"
    process.kill()
    process.wait()


@pytest.fixture
def group() -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("making a cgroup needs root")
    made = RunCgroup(own_group())
    made.make()
    yield made.path
    made.remove()


@pytest.mark.kernel
@pytest.mark.parametrize("at_once", [True, False], ids=["by the kernel", "one by one"])
def test_all_of_a_workload_ends_also_what_forks(group: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not at_once:
        monkeypatch.setattr(module, "_killed_at_once", lambda _: False)
    (group / "below").mkdir()
    processes = [begun(SLEEPS, group), begun(SLEEPS, group / "below"), begun(FORKS, group)]
    assert group_ended(group) == ENDED
    assert (group / "cgroup.procs").read_text() == (group / "below" / "cgroup.procs").read_text() == ""
    for process in processes:
        process.wait(30)


@pytest.mark.kernel
def test_a_workload_that_does_not_end_is_said(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.05)
    monkeypatch.setattr(module, "_killed_at_once", lambda _: True)
    process = begun(SLEEPS, group)
    assert group_ended(group) == "1 of its processes have not ended within 0.05 s of SIGKILL"
    process.kill()
    process.wait()


def test_a_group_that_is_gone_has_ended(tmp_path: Path) -> None:
    assert group_ended(tmp_path / "gone") == ENDED


def cookie_of(connection: socket.socket) -> int:
    return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


CONNECTS = "import socket,sys; s=socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(flush=True); print(s.recv(9), flush=True)"


@pytest.mark.kernel
def test_both_sides_see_the_end_of_a_connection() -> None:
    if os.geteuid():
        pytest.skip("taking another process's descriptor needs root")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", CONNECTS, str(listening.getsockname()[1])]
        process = begun(command)
        server, _ = listening.accept()
        with server:
            cookie = _theirs(process.pid)
            assert socket_ended([1, process.pid], cookie + 1) == "no process of its workload has its socket any more"
            assert socket_ended([2**22 + 5, process.pid], cookie) == ENDED
            server.settimeout(30)
            assert server.recv(1) == b""
            assert process.stdout and process.stdout.readline() == b"b''\n"
        process.wait(30)
        assert socket_ended([process.pid], cookie) == "no process of its workload has its socket any more"


def _theirs(pid: int) -> int:
    descriptor = os.pidfd_open(pid)
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if str(link.readlink()).startswith("socket:"):
                copy = module._libc.syscall(module.SYS_PIDFD_GETFD, descriptor, int(link.name), 0)
                with socket.socket(fileno=copy) as found:
                    return cookie_of(found)
    finally:
        os.close(descriptor)
    raise AssertionError


def test_what_waits_to_be_sent_is_dropped_where_it_must_not_leave() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as ours:
        served, _ = listening.accept()
        with served:
            ours.setblocking(False)
            with suppress(BlockingIOError):
                while ours.send(bytes(1 << 20)):
                    continue  # until nobody takes any more
            assert socket_reset([os.getpid()], cookie_of(ours)) == ENDED
            with pytest.raises(ConnectionResetError):
                while served.recv(1 << 20):
                    continue


def test_the_tcp_sockets_of_a_process_are_those_that_have_a_peer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as ours:
        cookie = int.from_bytes(ours.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
        program = "import sys, time; print('ready', flush=True); time.sleep(100)"
        numbers = (ours.fileno(), listening.fileno())
        with subprocess.Popen([sys.executable, "-c", program], pass_fds=numbers, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            assert tcp_of(child.pid) == {cookie}
            child.kill()


def test_a_second_end_of_the_same_socket_is_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as ours:
        theirs, _ = listening.accept()
        with theirs:
            assert module._shut(ours) == module._shut(ours) == ENDED
            deadline = time.monotonic() + 30
            while theirs.recv(1):
                assert time.monotonic() < deadline
