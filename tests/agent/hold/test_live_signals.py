"""Signals, forks, programs and shells while their TLS calls are held."""

import os
import shlex
import signal
import sys
from dataclasses import replace

import pytest
from support.enforced import ALLOWING, client, enforced, until

from chaperone.agent.hold import holds
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.hold.ptrace import Kind
from chaperone.agent.trace.values import TlsHeld
from chaperone.proto.records import Hold, Record

pytestmark = pytest.mark.kernel
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'


def signalling(it, number: int, order: Order | None = None):
    """The first hold's process gets a signal while it waits."""

    def decide(hold: Hold) -> Order | None:
        held = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
        until(lambda: held.tid in it.holds.seizer.kept)
        if len(it.asked) == 1:
            os.kill(held.tls.pid, number)
        return Order(hold.hold, Name.PASS) if order is None else None

    return decide


def test_a_shell_at_a_terminal_sees_no_stop(tracer, server) -> None:
    inner = shlex.join(["bash", "--norc", "-ic", f"set -m; {shlex.join(client(server, ASK))}; echo status=$?; jobs"])
    with enforced(tracer) as it:
        status, said = it.run(["script", "-qec", inner, "/dev/null"])
        assert (status, said) == (0, "5\nstatus=0\n")
        assert it.outcomes() == ["pass"]


def test_ctrl_c_ends_a_hold_and_nothing_is_sent(tracer, server) -> None:
    program = (
        "import signal; signal.signal(2, signal.default_int_handler)\ntry:\n  "
        + ASK
        + '\nexcept KeyboardInterrupt: print("interrupted", flush=True)\n'
    )
    with enforced(tracer, ALLOWING) as it:
        _, said = it.run(client(server, program), signalling(it, signal.SIGINT, Order("", Name.WAIT)))
        assert said == "interrupted\n" and it.outcomes() == ["gone"]
        assert server.finished()[0][0] == b""


def test_one_without_a_handler_dies_of_it(tracer, server) -> None:
    with enforced(tracer, ALLOWING) as it:
        status, _ = it.run(client(server, ASK), signalling(it, signal.SIGTERM, Order("", Name.WAIT)))
        assert status == 128 + signal.SIGTERM and server.finished()[0][0] == b""


def test_of_many_all_are_seen_sooner_or_later(tracer, server, monkeypatch) -> None:
    """Not all are looked at each time, and it is the last that is to end."""
    monkeypatch.setattr(holds, "LOOKED_AT", 2)
    program = f"""
import os
pids = [os.posix_spawn({sys.executable!r}, {client(server, ASK)!r}, os.environ) for _ in range(5)]
print(*sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids), flush=True)
"""

    def decide(hold: Hold) -> None:
        if len(it.asked) == 5:
            last = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
            until(lambda: last.tid in it.holds.seizer.kept)
            os.kill(last.tls.pid, signal.SIGTERM)

    def say(outcome: Record) -> None:
        it.said.append(outcome)
        if len(it.said) == 1:
            it.holds.seizer.later(lambda: [it.holds.order(Order(hold.hold, Name.PASS)) for hold in it.asked])

    with enforced(tracer, replace(ALLOWING, verdict_timeout=60_000_000_000)) as it:
        it.holds.world = replace(it.holds.world, say=say)
        _, said = it.run([sys.executable, "-c", program], decide)
        assert said.split()[-5:] == [str(-signal.SIGTERM), *"0000"], said
        assert it.outcomes() == ["gone"] + ["pass"] * 4
        assert sorted(out for out, _ in server.finished()) == [b""] + [b"0 5\n"] * 4


def test_other_signals_wait_for_the_end_of_the_hold(tracer, server) -> None:
    program = "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('usr1', flush=True))\n" + ASK
    with enforced(tracer) as it:
        _, said = it.run(client(server, program), signalling(it, signal.SIGUSR1))
        assert said == "usr1\n5\n" and it.outcomes() == ["pass"]


def test_a_stopped_and_continued_program_goes_on(tracer, server) -> None:
    def decide(hold: Hold) -> Order:
        held = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
        until(lambda: held.tid in it.holds.seizer.kept)
        os.kill(held.tls.pid, signal.SIGSTOP)
        os.kill(held.tls.pid, signal.SIGCONT)
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        _, said = it.run(client(server, ASK), decide)
        assert said == "5\n" and it.outcomes() == ["pass"]


SHELL = """
import os, pathlib, signal, subprocess, sys, time
child = subprocess.Popen(sys.argv[2:], process_group=0)
print(os.WSTOPSIG(os.waitpid(child.pid, os.WUNTRACED)[1]), flush=True)
time.sleep(0.3)
os.kill(child.pid, signal.SIGCONT)
pathlib.Path(sys.argv[1]).touch()
print(child.wait(), flush=True)
"""


@pytest.mark.parametrize("is_ordered_meanwhile", [True, False])
def test_ctrl_z_stops_a_held_program_which_is_held_on(tracer, server, tmp_path, is_ordered_meanwhile: bool) -> None:
    """As its shell sees it, at once; and it does not run on before its order, continued or not."""
    continued = tmp_path / "continued"

    def decide(hold: Hold) -> Order:
        held = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
        until(lambda: held.tid in it.holds.seizer.kept)
        os.kill(held.tls.pid, signal.SIGTSTP)
        until(lambda: it.holds.look() or it.holds.seizer.kept.get(held.tid) is Kind.JOB_STOP)
        until(lambda: is_ordered_meanwhile or continued.exists())
        assert [one.out for one in server.conversations] == [b""]
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        _, said = it.run([sys.executable, "-c", SHELL, str(continued), *client(server, ASK)], decide)
        assert said == f"{int(signal.SIGTSTP)}\n5\n0\n" and it.outcomes() == ["pass"]


def test_children_by_fork_and_exec_are_held_as_well(tracer, server) -> None:
    program = f"import os, subprocess\nif os.fork(): os.wait()\nelse: os.execv({sys.executable!r}, {client(server, ASK)!r})\n" + ASK
    with enforced(tracer) as it:
        status, said = it.run(client(server, program))
        assert (status, said) == (0, "5\n5\n") and it.outcomes() == ["pass", "pass"]


def test_threads_are_held_each_by_itself(tracer, server) -> None:
    program = """
import threading
def work():
    one = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
    for _ in range(5): one.sendall(b"0 5\\n"); assert len(one.recv(5)) == 5
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("done", flush=True)
"""
    for seized in (True, False):
        with enforced(tracer) as it:
            status, said = it.run(client(server, program), seized=seized)
            assert (status, said) == (0, "done\n") and it.outcomes() == ["pass"] * 20
