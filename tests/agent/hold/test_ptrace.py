import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.hold import ptrace
from chaperone.agent.hold.ptrace import Event, Kind, Stop

pytestmark = pytest.mark.kernel
ECHO = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)"


@contextmanager
def seized(program: str = ECHO) -> Iterator["subprocess.Popen[str]"]:
    skip_without_kernel()
    child = subprocess.Popen([sys.executable, "-c", "print('ready', flush=True)\n" + program], stdin=-1, stdout=-1, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        ptrace.seize(child.pid)
        yield child
    finally:
        child.kill()
        child.communicate()


def waited(tid: int) -> Stop:
    stop = ptrace.wait(tid)
    assert stop is not None
    return stop


def say(child: "subprocess.Popen[str]", text: str) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(text + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def test_a_seized_process_runs_on():
    with seized() as child:
        assert say(child, "hello") == "hello"


def test_an_interrupted_thread_pauses_and_goes_on():
    with seized() as child:
        ptrace.interrupt(child.pid)
        assert waited(child.pid).kind is Kind.PAUSE
        ptrace.resume(child.pid)
        assert say(child, "hello") == "hello"


def test_a_signal_can_be_taken_away_or_passed_on():
    with seized() as child:
        child.send_signal(signal.SIGTERM)
        assert waited(child.pid) == Stop(child.pid, Kind.SIGNAL, signal.SIGTERM)
        ptrace.resume(child.pid)
        assert say(child, "alive") == "alive"
        child.send_signal(signal.SIGTERM)
        waited(child.pid)
        ptrace.resume(child.pid, signal.SIGTERM)
        assert waited(child.pid) == Stop(child.pid, Kind.ENDED, signal.SIGTERM)


def test_a_job_stop_is_left_alone_until_it_ends():
    with seized() as child:
        child.send_signal(signal.SIGSTOP)
        assert waited(child.pid).kind is Kind.SIGNAL
        ptrace.resume(child.pid, signal.SIGSTOP)
        assert waited(child.pid) == Stop(child.pid, Kind.JOB_STOP, signal.SIGSTOP)
        ptrace.listen(child.pid)
        child.send_signal(signal.SIGCONT)
        kinds = []
        while ptrace.wait(child.pid, ptrace.WNOHANG) is None:
            time.sleep(0.001)
        ptrace.resume(child.pid)
        kinds.append(waited(child.pid))
        assert kinds[-1] == Stop(child.pid, Kind.SIGNAL, signal.SIGCONT)
        ptrace.resume(child.pid, signal.SIGCONT)
        assert say(child, "on") == "on"


def test_registers_can_be_read_and_set():
    with seized() as child:
        ptrace.interrupt(child.pid)
        waited(child.pid)
        found = ptrace.registers(child.pid)
        assert found.rip and found.rsp
        mask = ptrace.signal_mask(child.pid)
        ptrace.set_signal_mask(child.pid, mask | 1 << 9)
        assert ptrace.signal_mask(child.pid) == mask | 1 << 9
        ptrace.set_signal_mask(child.pid, mask)
        before, found.rbx = found.rbx, 4711
        orig = found.orig_rax
        ptrace.set_registers(child.pid, found)
        assert ptrace.registers(child.pid).rbx == 4711
        found.rbx, found.orig_rax = before, orig
        ptrace.set_registers(child.pid, found)


def test_a_fork_is_told_and_its_child_is_ours():
    with seized("import os\ninput()\npid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)\nprint('done', flush=True)") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("\n")
        child.stdin.flush()
        stop = waited(child.pid)
        assert stop == Stop(child.pid, Kind.EVENT, Event.CLONE) or stop.number == Event.FORK
        born = ptrace.message(child.pid)
        ptrace.resume(child.pid)
        assert waited(born).kind is Kind.PAUSE
        ptrace.resume(born)
        assert waited(born).kind is Kind.ENDED
        assert waited(child.pid).kind is Kind.SIGNAL  # SIGCHLD
        ptrace.resume(child.pid, signal.SIGCHLD)
        assert child.stdout.readline() == "done\n"


def test_a_detached_one_is_nobodys():
    with seized() as child:
        ptrace.interrupt(child.pid)
        waited(child.pid)
        ptrace.detach(child.pid)
        with pytest.raises(OSError):
            ptrace.interrupt(child.pid)
        assert say(child, "free") == "free"


def test_a_thread_that_is_gone_is_a_lookup_error():
    skip_without_kernel()
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(ProcessLookupError):
        ptrace.seize(gone.pid)


@pytest.mark.parametrize(
    ("status", "kind", "number"),
    [
        (0, Kind.ENDED, 0),
        (9, Kind.ENDED, 9),
        (3 << 8, Kind.ENDED, 3 << 8),
        (signal.SIGINT << 8 | 0x7F, Kind.SIGNAL, signal.SIGINT),
        (128 << 16 | signal.SIGTRAP << 8 | 0x7F, Kind.PAUSE, signal.SIGTRAP),
        (128 << 16 | signal.SIGTSTP << 8 | 0x7F, Kind.JOB_STOP, signal.SIGTSTP),
        (4 << 16 | signal.SIGTRAP << 8 | 0x7F, Kind.EVENT, Event.EXEC),
    ],
)
def test_a_wait_status_says_what_it_is(status, kind, number):
    assert ptrace.stop_of(os.getpid(), status) == Stop(os.getpid(), kind, number)
