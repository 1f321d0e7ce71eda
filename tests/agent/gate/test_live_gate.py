"""Live: clients from files that nobody has ever seen speak TLS at once, and their first byte is there. Truth is the server's log."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import c_peer
from support.enforced import until
from support.go_peer import STRIPPED, built
from support.kernel import Seen, Workload, cgroup, entering, governed, skip_without_kernel
from support.terminal import Terminal
from support.tls_server import TlsServer, libssl

from chaperone.agent.gate import sweep
from chaperone.agent.gate.gate import Gate
from chaperone.agent.trace.tracer import Tracer, TracerSettings

pytestmark = pytest.mark.kernel
CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
tls.sendall(b"10 20\\n" + b"x" * 10)
got = 0
while got < 20: got += len(tls.recv(100))
tls.unwrap()
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


@pytest.fixture(scope="module")
def unhurried() -> Iterator[Tracer]:
    """One with which nobody waits without a signal, as if it always came too late."""
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024, spinners=0)) as opened:
        yield opened


def fresh(folder: Path, number: int = 0) -> dict[str, str]:
    """The environment of a client with a libssl of its own."""
    place = folder / f"fresh{number}"
    place.mkdir()
    shutil.copy(libssl(), place / "libssl.so.3")
    return {**os.environ, "LD_LIBRARY_PATH": str(place)}


def python(server: TlsServer, text: str = CLIENT) -> list[str]:
    return [sys.executable, "-c", text, str(server.port), str(server.certificate)]


@contextmanager
def gated(tracer: Tracer, by_cgroup: bool = True) -> Iterator[tuple[Workload, Gate]]:
    """A workload behind the gate."""
    gate = tracer.open_gate()
    gate.hooks.is_by_cgroup = by_cgroup
    try:
        with governed(tracer) as workload:
            gate.watch(1, workload.path)
            yield workload, gate
    finally:
        gate.close()


def assert_all_captured(seen: Seen, server: TlsServer, count: int) -> None:
    assert len(server.conversations) == count
    assert sorted(seen.conversations()) == sorted(server.finished())


WAYS = {"trapped in the cgroup's hook": ("tracer", True), "at the tracepoint": ("tracer", False), "really stopped": ("unhurried", True)}


@pytest.mark.parametrize(("name", "by_cgroup"), WAYS.values(), ids=WAYS)
def test_clients_with_libraries_of_their_own_are_whole(
    name: str, by_cgroup: bool, request: pytest.FixtureRequest, server: TlsServer, tmp_path: Path
) -> None:
    seen = Seen()
    with gated(request.getfixturevalue(name), by_cgroup) as (workload, gate):
        for number in range(3):
            seen.values += workload.run(python(server), env=fresh(tmp_path, number)).values
        assert gate.missed == workload.tracer.lost.connects == 0
    assert_all_captured(seen, server, 3)


def test_programs_of_go_that_nobody_has_seen_are_whole(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    program = built("tls_client", tmp_path, STRIPPED)
    seen = Seen()
    with gated(tracer) as (workload, _gate):
        for number in range(3):
            copy = tmp_path / f"client{number}"
            shutil.copy(program, copy)
            seen.values += workload.run([copy, str(server.port), str(server.certificate)]).values
    assert len(server.conversations) > 3
    assert sorted(seen.conversations()) == sorted(server.finished())


@pytest.mark.parametrize("how", ["inline", "worker", "poller"])
def test_clients_that_connect_by_io_uring_are_whole_or_told_of(tracer: Tracer, server: TlsServer, tmp_path: Path, how: str) -> None:
    """Where a thread of the kernel's connects for its program, it keeps it from nothing: that is said (test_waiting.py)."""
    program, seen = c_peer.built("ring_client", tmp_path, "-lssl", "-lcrypto"), Seen()
    with gated(tracer) as (workload, gate):
        for number in range(3):
            seen.values += workload.run([program, str(server.port), how], env=fresh(tmp_path, number), stdout=subprocess.DEVNULL).values
    assert not gate.missed or how != "inline"
    if not gate.missed:
        assert_all_captured(seen, server, 3)


LONG = CLIENT.replace("tls.unwrap()", "print(flush=True); input(); tls.sendall(b'5 5\\n' + b'y' * 5); tls.recv(5, 0); tls.unwrap()")


def test_probes_of_deleted_files_are_dropped_but_not_of_those_in_use(
    tracer: Tracer, server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "PAUSE_S", 0.05)
    with gated(tracer) as (workload, gate):
        user = workload.start(python(server, LONG), env=fresh(tmp_path, 99), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert user.stdout
        assert user.stdout.readline() == b"\n"
        in_use = inode(tmp_path, 99)
        shutil.rmtree(tmp_path / "fresh99")
        seen, probed = Seen(), 0
        for number in range(30):
            until(lambda: len(gate.files.probed) < 25)  # they do not pile up
            seen.values += workload.run(python(server), env=fresh(tmp_path, number)).values
            probed += inode(tmp_path, number) in gate.files.probed
            shutil.rmtree(tmp_path / f"fresh{number}")
        until(lambda: not any(os.fstat(one.file).st_nlink == 0 for key, one in gate.files.probed.items() if key != in_use))
        assert in_use in gate.files.probed
        user.communicate(b"\n")
        workload.rest(seen)
        assert gate.missed == workload.tracer.lost.connects == 0
    assert probed == 30
    assert gate.sweep.dropped >= 30
    assert_all_captured(seen, server, 31)


def inode(folder: Path, number: int) -> tuple[int, int]:
    about = (folder / f"fresh{number}" / "libssl.so.3").stat()
    return about.st_dev, about.st_ino


def test_many_at_once_are_whole(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    with gated(tracer) as (workload, _gate):
        started = [workload.start(python(server), env=fresh(tmp_path, number)) for number in range(6)]
        seen = Seen()
        while any(process.poll() is None for process in started):
            seen.values += tracer.poll(20)
        workload.rest(seen)
    assert [process.returncode for process in started] == [0] * 6
    assert_all_captured(seen, server, 6)


LATE = (
    """
import socket, sys
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
plain.close()
"""
    + CLIENT
)


def test_a_library_loaded_after_the_first_connect_is_met_at_the_next(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    with gated(tracer) as (workload, _gate):
        seen = workload.run(python(server, LATE), env=fresh(tmp_path))
    assert len(server.conversations) == 2
    assert sorted(seen.conversations()) == sorted(sides for sides in server.finished() if sides[0])


FORKED = CLIENT.replace("context =", "import os\nif os.fork(): sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\ncontext =")
AGAIN = CLIENT * 5


def test_what_was_looked_into_connects_again_without_being_met(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    """And so does its forked child. Met are first connects, and the next where the kernel mapped a page to run probed instructions."""
    with gated(tracer) as (workload, gate):
        served: list[tuple[int, int]] = []
        serve = gate._serve
        gate._serve = lambda record: served.append((record.thread, record.code)) or serve(record)  # type: ignore[func-returns-value,method-assign]
        workload.run(python(server, AGAIN))
        workload.run(python(server, FORKED))
    assert len(served) <= 3, served


def test_a_shell_on_a_terminal_sees_nothing(tracer: Tracer, server: TlsServer, tmp_path: Path) -> None:
    with gated(tracer) as (workload, gate):
        environment = {**fresh(tmp_path), "PS1": "$ ", "TERM": "dumb"}
        enter = f"echo 0 > {workload.path / 'cgroup.procs'} && exec bash --norc --noprofile -i"
        terminal = Terminal(["/bin/sh", "-c", enter], environment)
        script = tmp_path / "client.py"
        script.write_text(CLIENT)
        seen, shown = Seen(), ""
        for _ in range(3):
            shutil.copy(libssl(), tmp_path / "new")
            (tmp_path / "new").rename(tmp_path / "fresh0" / "libssl.so.3")
            terminal.type(f"{sys.executable} {script} {server.port} {server.certificate}; echo st''atus=$?.\n")
            shown += terminal.expect("status=")
            assert terminal.expect(".") == "0"
            seen.values += tracer.poll(20)
        terminal.type("exit\n")
        assert terminal.wait() == 0
        terminal.close()
        workload.rest(seen)
        assert gate.missed == workload.tracer.lost.connects == 0
    assert "topped" not in shown
    assert_all_captured(seen, server, 3)


def test_nobody_is_left_stopped_when_the_agent_is_killed(server: TlsServer, tmp_path: Path) -> None:
    """Of those that trap, none: the kernel lets go whom a dead tracer had."""
    skip_without_kernel()
    with cgroup() as path:
        agent = subprocess.Popen([sys.executable, "-c", AGENT, str(path)], stdout=subprocess.PIPE)
        assert agent.stdout is not None
        assert agent.stdout.readline() == b"ready\n"
        client = subprocess.Popen([*entering(path), *python(server)], env=fresh(tmp_path))
        assert agent.stdout.readline() == b"holds\n"
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        assert client.wait(30) == 0


AGENT = """
import sys, time
from pathlib import Path
from chaperone.agent.trace.tracer import Tracer, TracerSettings
with Tracer(TracerSettings(ring_pages=256)) as tracer:
    gate = tracer.open_gate()
    gate._serve = lambda record: print("holds", flush=True)
    tracer.govern(Path(sys.argv[1]))
    gate.watch(1, Path(sys.argv[1]))
    print("ready", flush=True)
    time.sleep(100)
"""
