"""Threads are seized, seen to stop, and let go as they were; real stops of ours are taken back. The kernel's map is a dict here."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from support.c_peer import built

from chaperone.agent.gate import waiting as module
from chaperone.agent.gate.layout import Thread
from chaperone.agent.gate.maps import Map
from chaperone.agent.gate.waiting import Waiting
from chaperone.agent.hold import ptrace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="tracing others needs root")
HANDSHAKE = b"\x16"  # the first byte of a ClientHello
BELOW = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c"]  # not our own child, whose stops its parent would be told


class FakeMap(Map[Thread, Thread]):
    """`halted`: thread → process."""

    def __init__(self) -> None:
        self.halted: dict[int, int] = {}

    def get(self, key: Thread) -> Thread | None:
        return Thread(self.halted[key.number]) if key.number in self.halted else None

    def keys(self) -> Iterator[Thread]:
        yield from map(Thread, list(self.halted))

    def remove(self, key: Thread) -> None:
        self.halted.pop(key.number, None)


@pytest.fixture
def kernel() -> FakeMap:
    return FakeMap()


@pytest.fixture
def waiting(kernel: FakeMap) -> Waiting:
    return Waiting(kernel)


@contextmanager
def counting() -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A program that prints a line every few milliseconds, and its pid; its parent is a shell."""
    text = "import os, time\nprint(os.getpid(), flush=True)\nwhile True:\n    time.sleep(0.005)\n    print(flush=True)"
    with subprocess.Popen([*BELOW, text], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        yield pid, shell
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def leave(waiting: Waiting, pid: int) -> None:
    """Let it go, and see to it that it went."""
    waiting.release(pid)
    until(lambda: waiting.settle() is None and pid not in waiting.threads)  # type: ignore[func-returns-value]


def goes_on(shell: "subprocess.Popen[bytes]") -> bool:
    assert shell.stdout is not None
    return all(shell.stdout.readline() for _ in range(5))


def test_a_thread_stops_and_goes_on_unseen_by_its_parent(waiting: Waiting) -> None:
    with counting() as (pid, shell):
        waiting.take(pid)
        until(lambda: state(pid) == "t")
        waiting.settle()
        assert waiting.threads[pid].has_stopped
        leave(waiting, pid)
        assert waiting.threads == {}
        assert goes_on(shell)
        assert "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text()


def test_who_connects_waits_only_so_long_whatever_keeps_the_agent(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.3)
    with counting() as (connects, shell), counting() as (reads, _):
        waiting.take(connects)
        waiting.take(reads, is_connecting=False)
        until(lambda: waiting.settle() is None and all(one.has_stopped for one in waiting.threads.values()))  # type: ignore[func-returns-value]
        until(lambda: waiting.settle() is None and connects not in waiting.threads)  # type: ignore[func-returns-value]
        assert goes_on(shell)
        assert state(reads) == "t"
        leave(waiting, reads)


def test_a_stop_that_the_agents_own_tracer_meets_is_left_to_it(kernel: FakeMap) -> None:
    """A SIGCONT would take the stops of held calls in other threads of the process along."""
    waiting = Waiting(kernel, agent=os.getpid())
    with counting() as (pid, shell):
        ptrace.seize(pid, ptrace.Option(0))
        waiting.take(pid)
        kernel.halted[pid] = pid
        waiting.release(pid)
        waiting.resume_halted()
        assert kernel.halted == {pid: pid}
        ptrace.interrupt(pid)
        until(lambda: ptrace.wait(pid, ptrace.WNOHANG) is not None)
        ptrace.detach(pid)
        waiting.resume_halted()
        assert kernel.halted == {}, "it has no tracer any more"
        assert goes_on(shell)


def test_a_real_stop_of_ours_ends_at_once_for_all_but_the_one_who_waits(waiting: Waiting, kernel: FakeMap) -> None:
    with counting() as (pid, shell):
        kernel.halted[pid] = pid
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state(pid) == "T")
        waiting.take(pid)
        until(lambda: waiting.settle() is None and waiting.threads[pid].has_stopped)  # type: ignore[func-returns-value]
        assert kernel.halted == {}
        assert state(pid) == "t"
        leave(waiting, pid)
        assert goes_on(shell)


def test_a_stop_signal_that_comes_after_the_trap_is_taken_back(waiting: Waiting, kernel: FakeMap) -> None:
    with counting() as (pid, shell):
        waiting.take(pid)
        until(lambda: state(pid) == "t")
        kernel.halted[pid] = pid
        os.kill(pid, signal.SIGSTOP)
        waiting.settle()
        leave(waiting, pid)
        assert goes_on(shell)


def test_a_stop_by_somebody_else_stays(waiting: Waiting) -> None:
    with counting() as (pid, _shell):
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state(pid) == "T")
        waiting.take(pid)
        leave(waiting, pid)
        until(lambda: state(pid) == "T")


def test_a_signal_that_arrives_first_is_delivered(waiting: Waiting) -> None:
    text = (
        "import os, signal, time\nsignal.signal(signal.SIGUSR1, lambda *a: os.write(1, b'got\\n'))\n"
        "os.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(1)"
    )
    with subprocess.Popen([*BELOW, text], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        for _ in range(20):
            os.kill(pid, signal.SIGUSR1)
            waiting.take(pid)
            leave(waiting, pid)
            assert shell.stdout.readline() == b"got\n"
        os.kill(pid, signal.SIGKILL)


def test_who_ends_or_is_gone_is_forgotten(waiting: Waiting) -> None:
    waiting.take(2**22 + 5)
    assert waiting.threads == {}
    with counting() as (pid, _shell):
        waiting.take(pid)
        os.kill(pid, signal.SIGKILL)
        leave(waiting, pid)
    assert waiting.threads == {}


def test_one_that_another_traces_is_resumed_by_signal(waiting: Waiting, kernel: FakeMap) -> None:
    with counting() as (pid, shell):
        taken, done = threading.Event(), threading.Event()

        def trace() -> None:
            other = Waiting(kernel)
            other.take(pid)
            leave(other, pid)
            ptrace.seize(pid, ptrace.Option(0))
            taken.set()
            done.wait(60)

        tracer = threading.Thread(target=trace)
        tracer.start()
        assert taken.wait(60)
        waiting.take(pid)
        assert (list(waiting.threads), list(waiting.foreign)) == ([], [pid])
        kernel.halted[pid] = pid
        waiting.resume_halted()
        assert kernel.halted == {pid: pid}, "it waits for its release"
        waiting.release(pid)
        assert kernel.halted == {}
        waiting.take(pid)
        waiting.release(pid)
        kernel.halted[pid] = pid  # its stop comes afterwards
        waiting.resume_halted()
        assert kernel.halted == {}
        done.set()
        tracer.join()
        assert goes_on(shell)


def test_the_death_of_the_tracer_lets_everybody_go() -> None:
    with counting() as (pid, shell):
        text = (
            "import os, sys, time\nfrom chaperone.agent.hold import ptrace\n"
            "ptrace.seize(int(sys.argv[1]), ptrace.Option(0)); ptrace.interrupt(int(sys.argv[1]))\nprint(flush=True); time.sleep(100)"
        )
        with subprocess.Popen([sys.executable, "-c", text, str(pid)], stdout=subprocess.PIPE) as tracer:
            assert tracer.stdout is not None
            tracer.stdout.readline()
            until(lambda: state(pid) == "t")
            tracer.kill()
        assert goes_on(shell)


CONNECT = """
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
int main(int n, char **argv) {
  struct timeval limit = {1, 0};
  struct sockaddr_in to = {AF_INET, htons(atoi(argv[1]))};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  printf("%d\\n", getpid()); fflush(stdout);
  int done = connect(fd, (void *)&to, sizeof(to));
  printf("%d %s\\n", done, strerror(errno));
}
"""


def test_a_connect_with_a_time_limit_is_not_cut_short(waiting: Waiting, tmp_path: Path) -> None:
    """To a listener whose queue is full: it gets no answer."""
    (tmp_path / "connect.c").write_text(CONNECT)
    subprocess.run(["cc", "-o", tmp_path / "connect", tmp_path / "connect.c"], check=True)
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    full = socket.create_connection(listener.getsockname())
    command = [*BELOW[:4], str(tmp_path / "connect"), str(listener.getsockname()[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        until(lambda: Path(f"/proc/{pid}/syscall").read_text().startswith("42 "))
        waiting.take(pid)
        leave(waiting, pid)
        assert waiting.late == []
        assert process.stdout.readline() == b"-1 Operation already in progress\n"  # a second time limit's end
    full.close()
    listener.close()


def test_thread_numbers_are_as_wide_as_the_kernels() -> None:
    assert ctypes.sizeof(Thread) == 4


def test_who_has_gone_on_before_it_stopped_is_counted(waiting: Waiting) -> None:
    with counting() as (pid, _shell):
        waiting.take(pid, workload=7)
        leave(waiting, pid)
    assert waiting.late == [7]


def test_of_what_connects_by_io_uring_a_worker_keeps_nobody_from_going_on(waiting: Waiting, tmp_path: Path) -> None:
    """Both wait for a server's first word: who asked, in io_uring_enter, and the kernel's own thread, which receives."""
    program = built("ring_client", tmp_path, "-lssl", "-lcrypto")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [*BELOW[:4], str(program), str(listener.getsockname()[1]), "worker"]
        with subprocess.Popen(command) as shell, ExitStack() as stack:
            served, _ = listener.accept()
            stack.enter_context(served)  # when it is closed, the program ends
            [asking] = map(int, Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split())
            assert served.recv(1) == HANDSHAKE
            until(lambda: Path(f"/proc/{asking}/syscall").read_text().startswith("426 "))
            time.sleep(0.1)  # its hello may have left a moment before it hears of that, and asks for the answer
            [worker] = {int(one.name) for one in Path(f"/proc/{asking}/task").iterdir()} - {asking}
            for thread, late in ((asking, []), (worker, [0])):
                waiting.take(thread)
                leave(waiting, thread)
                assert waiting.late == late


def test_a_stop_that_is_only_about_to_be_sent_is_not_taken_back(waiting: Waiting, kernel: FakeMap) -> None:
    """Or it would come afterwards, and nobody would know."""
    kernel.halted[2**22 + 5] = 0
    waiting.resume_halted()
    assert kernel.halted == {2**22 + 5: 0}
