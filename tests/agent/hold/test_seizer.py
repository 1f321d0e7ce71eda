import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel

from chaperone.agent.hold.ptrace import Kind, Stop
from chaperone.agent.hold.seizer import Seizer, process_of, tasks
from chaperone.agent.workload.processes import tracer_of

pytestmark = pytest.mark.kernel
ECHO = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)"
THREADS = "import threading, sys\nfor _ in range(9): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.fixture(autouse=True)
def kernel():
    skip_without_kernel()


@contextmanager
def running(program: str = ECHO) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)
    try:
        say(child, "ready") if program.endswith(ECHO) else None
        yield child
    finally:
        child.kill()
        child.communicate()


@contextmanager
def seizer(on_signal: Callable[[Stop], bool] = lambda _stop: False) -> Iterator[Seizer]:
    made = Seizer(on_signal)
    try:
        yield made
    finally:
        made.close()


def say(child: "subprocess.Popen[str]", text: str) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(text + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def state(tid: int) -> str:
    return Path(f"/proc/{tid}/stat").read_text().rpartition(")")[2].split()[0]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def stops(stop: Stop) -> bool:
    return stop.number == signal.SIGSTOP


def test_all_threads_are_seized_and_let_go():
    with running(THREADS + ECHO) as child, seizer() as made:
        assert made.seize(child.pid) == 10
        assert {tracer_of(tid) for tid in tasks(child.pid)} == {made.native_id}
        assert say(child, "on") == "on"
        made.close()
        assert {tracer_of(tid) for tid in tasks(child.pid)} == {0}
        assert say(child, "free") == "free"


def test_a_signal_that_is_taken_keeps_its_thread_until_it_is_released():
    with running() as child, seizer(stops) as made:
        made.seize(child.pid)
        child.send_signal(signal.SIGSTOP)
        until(lambda: child.pid in made.kept)
        assert state(child.pid) == "t"
        made.release(child.pid)
        assert say(child, "on") == "on"


def test_what_is_not_ours_passes_and_status_is_the_parents():
    shell = subprocess.Popen(["sh", "-c", "echo $$; read go; sleep 100 & echo $!; wait $!; echo $?"], stdin=-1, stdout=-1, text=True)
    with shell, seizer() as made:
        assert shell.stdout is not None
        made.seize(int(shell.stdout.readline()))
        os.kill(int(say(shell, "go")), signal.SIGTERM)
        assert shell.stdout.readline() == "143\n"


PARENT = """
import os, signal, subprocess
child = subprocess.Popen(["sleep", "100"])
print(child.pid, flush=True)
input()
child.send_signal(signal.SIGSTOP)
print(os.WSTOPSIG(os.waitpid(child.pid, os.WUNTRACED)[1]), flush=True)
child.send_signal(signal.SIGCONT)
print(os.WIFCONTINUED(os.waitpid(child.pid, os.WCONTINUED)[1]), flush=True)
child.kill()
print(child.wait(), flush=True)
"""


def test_job_control_works_under_it():
    with running(PARENT) as parent, seizer() as made:
        assert parent.stdout is not None
        made.seize(int(parent.stdout.readline()))
        assert say(parent, "go") == str(int(signal.SIGSTOP))
        assert parent.stdout.read() == f"True\n{-signal.SIGKILL}\n"


def test_children_are_followed_through_fork_and_exec():
    program = "import subprocess\nwhile True:\n    input(); print(subprocess.run(['sh', '-c', 'exit 7']).returncode, flush=True)"
    with running(program) as child, seizer() as made:
        made.seize(child.pid)
        assert say(child, "") == "7"
        until(lambda: made.seized == {child.pid})


def test_seizing_in_the_middle_of_births_harms_nobody():
    program = "import subprocess, threading\nfor _ in range(15):\n    [threading.Thread(target=int).start() for _ in range(5)]; "
    with running(program + "subprocess.run(['true'])\nprint('well')") as child, seizer() as made:
        time.sleep(0.02)
        made.seize(child.pid)
        assert child.stdout is not None
        assert child.stdout.readline() == "well\n"


def test_one_that_was_stopped_for_real_is_seized_late():
    held = set[int]()  # who is, as the kernel's map of held threads says it

    def is_held(stop: Stop) -> bool:
        return stop.tid in held and (stop.kind is not Kind.SIGNAL or stops(stop))

    with running(THREADS + ECHO) as child, seizer(is_held) as made:
        held.add(child.pid)
        child.send_signal(signal.SIGSTOP)
        until(lambda: state(child.pid) == "T")
        made.late(child.pid)
        until(lambda: child.pid in made.kept)
        until(lambda: {state(tid) for tid in tasks(child.pid) if tid != child.pid} == {"S"})
        held.clear()
        made.release(child.pid)
        assert say(child, "on") == "on"


def test_what_is_kept_goes_on_when_the_seizer_closes():
    with running() as child, seizer(stops) as made:
        made.seize(child.pid)
        child.send_signal(signal.SIGSTOP)
        until(lambda: child.pid in made.kept)
        made.close()
        assert say(child, "free") == "free"


def test_a_fault_in_the_handler_leaves_nobody_stopped():
    def fail(stop: Stop) -> bool:
        raise ValueError("payload")

    with running() as child, seizer(fail) as made:
        made.seize(child.pid)
        child.send_signal(signal.SIGSTOP)
        assert say(child, "on") == "on"
        assert list(made.faults) == [f"signal {int(signal.SIGSTOP)}: ValueError"]


def test_a_killed_one_is_forgotten_while_it_is_kept():
    with running() as child, seizer(stops) as made:
        made.seize(child.pid)
        child.send_signal(signal.SIGSTOP)
        until(lambda: child.pid in made.kept)
        child.kill()
        child.wait(30)
        until(lambda: not made.seized)
        made.release(child.pid)


def test_a_thread_of_a_process_knows_its_process():
    with running(THREADS + ECHO) as child:
        assert {process_of(tid) for tid in tasks(child.pid)} == {child.pid}


def test_a_name_that_is_no_text_hides_no_thread():
    named = "import ctypes; ctypes.CDLL(None).prctl(15, b'\\xff\\nTgid:\\t1', 0, 0, 0)\n"  # PR_SET_NAME
    with running(named + ECHO) as child:
        assert process_of(child.pid) == child.pid and tracer_of(child.pid) == 0


def test_an_exception_of_a_call_is_the_callers():
    with seizer() as made, pytest.raises(ProcessLookupError):
        gone = subprocess.Popen(["true"])
        gone.wait()
        made.seize(gone.pid)


FLOOD = "import os, signal\nsignal.signal(signal.SIGUSR2, lambda *_: None)\nwhile True: os.kill(os.getpid(), signal.SIGUSR2)"


@contextmanager
def flooding() -> Iterator[int]:
    """The pid of one that sends itself signals. Not our child: to wait for one that we trace would take its stops."""
    script = '"$@" & echo $!; read end; kill -9 $!; wait'
    with subprocess.Popen(["bash", "-c", script, "sh", sys.executable, "-c", FLOOD], stdin=-1, stdout=-1, text=True) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        try:
            yield int(shell.stdout.readline())
        finally:
            shell.stdin.close()


def test_a_flood_of_signals_takes_no_more_than_the_share() -> None:
    rests: list[tuple[int, int]] = []  # clock and processor time at the beginning of each
    note = lambda: rests.append((time.monotonic_ns(), time.thread_time_ns()))  # noqa: E731
    with flooding() as pid, closing(Seizer(lambda _stop: False, on_rest=note, share=0.02)) as made:
        made.seize(pid)
        until(lambda: len(rests) > 3)
        took, used = (last - first for first, last in zip(rests[0], rests[3], strict=True))
        assert used < 0.04 * took
        until(lambda: made.call(lambda: made.is_resting))  # what others ask is done meanwhile
        made.close()
        assert tracer_of(pid) == 0


def test_what_one_stopped_for_is_taken_on_request() -> None:
    with running() as child, seizer(stops) as made:
        made.seize(child.pid)

        def look() -> bool:
            os.kill(child.pid, signal.SIGSTOP)
            until(lambda: state(child.pid) == "t")
            made.look_at(child.pid)
            return child.pid in made.kept

        assert made.call(look)
        made.call(lambda: made.look_at(os.getpid()))  # one that is not traced
        made.release(child.pid)
        assert say(child, "on") == "on"


def test_nothing_is_done_while_another_has_the_turn() -> None:
    done: list[str] = []

    def keep(_stop: Stop) -> bool:
        done.append("stop")
        return False

    with running() as child, seizer(keep) as made:
        made.seize(child.pid)
        with made.turn:
            os.kill(child.pid, signal.SIGUSR1)
            until(lambda: state(child.pid) == "t")
            made.later(lambda: done.append("command"))
            time.sleep(0.1)
            assert done == []
        until(lambda: sorted(done) == ["command", "stop"])
