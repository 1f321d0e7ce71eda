"""The second lock under real clients: what was let go leaves to the byte, and nothing else does, however it is written."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import dying_enforcer
from support.enforced import DENYING, Enforced, client, enforced, until
from support.kernel import cgroup, skip_without_kernel

from chaperone.agent.hold.lane import NEVER
from chaperone.agent.hold.layout import Object, Released, Spent
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.values import SocketDenied
from chaperone.agent.trace.values import TlsHeld
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold

pytestmark = pytest.mark.kernel
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)\n'
FORGED = b"\x17\x03\x03\x01\x00" + bytes(256)
FLOODED = """
import os, signal
me, flooders = os.getpid(), []
for _ in range(3):
    if not (child := os.fork()):
        tls.detach()
        while True:
            try: os.kill(me, signal.SIGCONT)
            except ProcessLookupError: os._exit(0)
    flooders.append(child)
try:
    for _ in range(60): tls.sendall(b"0 5\\n"); tls.recv(5)
finally:
    for child in flooders: os.kill(child, 9)
"""
BLOCKING = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})\n"


def accounts(it: Enforced) -> list[tuple[int, int]]:
    """Of each object of the workload: bytes that may leave, and that have."""
    kernel, pids = it.tracer.kernel, {value.tls.pid for value in it.values if isinstance(value, TlsHeld)}
    found = [key for key in kernel.entries("released", Object) if key.pid in pids]
    entries = [(kernel.entry("released", Released, key), kernel.entry("spent", Spent, key)) for key in found]
    return [(may.bytes, gone.bytes) for may, gone in entries if may and gone]


def denied(it: Enforced) -> list[Denied]:
    return [value.why for value in it.values if isinstance(value, SocketDenied)]


@pytest.mark.parametrize("version", ["TLSv1_3", "TLSv1_2"])
def test_what_leaves_is_what_was_let_go(tracer, server, version) -> None:
    """Skipped, replaced by more and by less, and larger than a record."""

    def decide(hold: Hold) -> Order:
        if hold.data == b"0 ":
            return Order(hold.hold, Name.SKIP)
        if hold.data == b"5\n":
            return Order(hold.hold, Name.WRITE, free=b"0 5\n", released=hold.position + hold.size)
        return Order(hold.hold, Name.PASS)

    program = f"""
context.minimum_version = context.maximum_version = ssl.TLSVersion.{version}
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
tls.sendall(b"70000 5\\n" + bytes(70000)); tls.recv(5)
tls.sendall(b"0 "); tls.sendall(b"5\\n"); tls.recv(5)
tls.sendall(b"0 5\\n"); tls.recv(5)
print("done", flush=True)
"""
    with enforced(tracer, DENYING) as it:
        assert it.run(client(server, program), decide) == (0, "done\n")
        assert accounts(it) == [(70016, 70016)] and not denied(it)


def test_a_record_of_ones_own_does_not_leave_behind_a_held_stream(tracer, server) -> None:
    program = f"""
tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
{ASK}
import os
os.write(tls.fileno(), {FORGED!r})
try: print(tls.recv(5))
except OSError as error: print("ended", flush=True)
"""
    with enforced(tracer) as it:
        _, said = it.run(client(server, program))
        assert denied(it) == [Denied.BEYOND]
        assert said in ("5\nended\n", "5\nb''\n")  # and not after its own patience
        assert server.finished()[-1][0] == b"0 5\n"


@pytest.mark.parametrize("seized", [True, False])
def test_who_is_woken_by_a_flood_of_signals_sends_nothing_unordered(tracer, server, seized) -> None:
    """SIGCONT takes a SIGSTOP away that is pending: some writes go on unheld. Nothing of them may leave."""
    let_go = []

    def decide(hold: Hold) -> Order:
        let_go.append(len(hold.data))
        assert sum(len(one.out) for one in server.conversations) < sum(let_go)
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        it.run(client(server, FLOODED), decide, seized=seized)
        assert sum(len(out) for out, _ in server.finished()) <= sum(let_go)


def test_who_blocks_all_signals_is_held_and_counted(tracer, server) -> None:
    with enforced(tracer) as it:
        assert it.run(client(server, BLOCKING + ASK)) == (0, "5\n")
        assert it.outcomes() == ["pass"] and accounts(it) == [(4, 4)]


LATER = """
import pathlib, time
idle, go, done = map(pathlib.Path, sys.argv[3:])
idle.touch()
while not go.exists(): time.sleep(0.005)
tls.settimeout(1)
try:
    tls.sendall(b"0 5\\n")
    done.write_text("read" if tls.recv(5) else "ended")
except OSError as error: done.write_text(type(error).__name__)
"""


def test_nothing_leaves_in_the_moment_after_an_idle_agents_death(server, tmp_path) -> None:
    """Long before its beat is old: nobody let these bytes go."""
    skip_without_kernel()
    idle, go, done = (tmp_path / name for name in ("idle", "go", "done"))
    with cgroup() as path:
        asking = [*client(server, ASK + LATER), str(idle), str(go), str(done)]
        argv = [sys.executable, dying_enforcer.__file__, "idle", "deny", str(path), *asking]
        environment = {**os.environ, "PYTHONPATH": str(Path(dying_enforcer.__file__).parents[1])}
        with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as enforcer:
            assert enforcer.stdout
            pid = int(enforcer.stdout.readline())
            until(idle.exists)
            os.kill(enforcer.pid, signal.SIGKILL)
            enforcer.wait()
            go.touch()
            until(lambda: not alive(pid))
    assert done.read_text() == "TimeoutError"
    assert [one.out for one in server.conversations] == [b"0 5\n"]  # it hears of no end: that is behind what does not leave


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


AGAIN = f"""
tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
free, again, ended = map(pathlib.Path, sys.argv[3:])
tls.sendall(b"0 5\\n"); tls.recv(5)
def heard(size):
    while size: size -= len(tls.recv(min(size, 65536)))
{{}}
os.write(tls.fileno(), {FORGED!r})
try: print(tls.recv(5))
except OSError: print("ended", flush=True)
"""
QUIET = """
tls.sendall(b"0 7\\n"); tls.recv(7)
free.touch()
while not again.exists(): time.sleep(0.005)
tls.sendall(b"0 7\\n"); tls.recv(7)
"""
# Its server writes, and does not read, until it is read.
BLOCKED = """
tls.settimeout({limit})
tls.sendall(b"0 50000000\\n")
time.sleep(0.5)
def begin():
    time.sleep(1)
    free.touch()
    while not again.exists(): time.sleep(0.005)
    heard(50000000)
thread = threading.Thread(target=begin)
thread.start()
tls.sendall(b"9000000 5\\n" + bytes(9000000))
thread.join()
tls.recv(5)
tls.sendall(b"0 7\\n"); tls.recv(7)
"""


@pytest.mark.parametrize("said", [QUIET, BLOCKED.format(limit=None), BLOCKED.format(limit=60)], ids=["quiet", "in a call", "would block"])
def test_one_that_was_let_go_is_counted_from_when_it_is_held_again(tracer, server, tmp_path, said) -> None:
    """What was let go before leaves, also what still waits in its socket; a record of one's own does not."""
    free, again, ended = (tmp_path / name for name in ("free", "again", "ended"))
    with enforced(tracer) as it:

        def decide(hold: Hold) -> Order:
            if not hold.position:
                it.holds.hold_from(hold.stream, Direction.OUT, NEVER)
                threading.Thread(target=hold_again, args=[hold.stream]).start()
            return Order(hold.hold, Name.PASS)

        def hold_again(stream: StreamId) -> None:
            until(free.exists)
            it.holds.hold_from(stream, Direction.OUT, 4)
            again.touch()

        program = "import os, pathlib, threading, time\n" + AGAIN.format(said)
        _, shown = it.run([*client(server, program), *map(str, (free, again, ended))], decide)
        assert denied(it) == [Denied.BEYOND] and shown in ("ended\n", "b''\n")
        [(may, gone)] = accounts(it)
        assert may == gone == len(server.finished()[-1][0]) and len(it.asked) > 1
