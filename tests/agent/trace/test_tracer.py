"""Live: real clients, a real kernel; the truth is what the server received and sent."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import tls_clients
from support.apiserver import running
from support.kernel import Seen, Workload, cgroup, governed, skip_without_kernel
from support.tls_server import TlsServer, libssl

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached, NotCovered, ProcessExec, ProcessExit, ProcessFork, TlsBytes, TlsClosed, TlsLost
from chaperone.proto.records import Cause, Direction

pytestmark = pytest.mark.kernel
KUBECTL = Path(sys.executable).parent / "kubectl"
SIZES = [(0, 1), (1, 0), (255, 256), (4095, 4097), (16384, 16385), (65536, 65536), (300_000, 300_000)]


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        assert isinstance(opened.attach(libssl()), Attached)
        yield opened


@pytest.fixture
def workload(tracer: Tracer) -> Iterator[Workload]:
    with governed(tracer) as opened:
        yield opened


def run(workload: Workload, server: TlsServer, program: str) -> Seen:
    return workload.run(tls_clients.command(program, server.port, server.certificate))


def test_a_python_client_is_recorded_byte_for_byte(workload: Workload, server: TlsServer) -> None:
    seen = run(workload, server, tls_clients.SYNC.format(sizes=SIZES))
    assert seen.conversations() == server.finished()
    assert not seen.of(TlsLost)


def test_asyncio_clients_are_recorded_byte_for_byte(workload: Workload, server: TlsServer) -> None:
    seen = run(workload, server, tls_clients.ASYNCIO.replace("{sizes}", str(SIZES)))
    assert sorted(seen.conversations()) == sorted(server.finished())
    assert len(seen.objects()) == 3


def test_eight_threads_are_kept_apart(workload: Workload, server: TlsServer) -> None:
    seen = run(workload, server, tls_clients.THREADS)
    assert sorted(seen.conversations()) == sorted(server.finished())
    assert len(seen.objects()) == 8


def test_an_address_that_comes_back_is_another_object(workload: Workload, server: TlsServer) -> None:
    seen = run(workload, server, tls_clients.REUSED)
    assert seen.conversations() == server.finished()
    assert len({tls.handle for tls in seen.objects()}) < len(seen.objects()) == len(server.conversations) >= 20
    ends = [(closed.out_position, closed.in_position) for closed in seen.of(TlsClosed)]
    assert ends == [(len(out), len(into)) for out, into in server.finished()]


def test_a_forked_child_writes_its_own_object(workload: Workload, server: TlsServer) -> None:
    seen = run(workload, server, tls_clients.FORK)
    parent, child = seen.objects()
    assert (parent.pid, parent.handle) != (child.pid, child.handle)
    assert parent.handle == child.handle
    joined = seen.plaintext(parent, Direction.OUT) + seen.plaintext(child, Direction.OUT)
    assert [joined] == [out for out, _into in server.finished()]


def test_what_runs_outside_the_cgroup_is_not_recorded(workload: Workload, server: TlsServer) -> None:
    command = tls_clients.command(tls_clients.SYNC.format(sizes=SIZES), server.port, server.certificate)
    subprocess.run(command, check=True)
    with cgroup() as elsewhere:
        assert workload.run(command, path=elsewhere).values == []


def test_what_runs_in_a_cgroup_below_is_recorded(workload: Workload, server: TlsServer) -> None:
    command = tls_clients.command(tls_clients.SYNC.format(sizes=SIZES), server.port, server.certificate)
    with cgroup(below=workload.path, name="below") as below:
        assert workload.run(command, path=below).conversations() == server.finished()


def test_a_released_workload_is_not_recorded(tracer: Tracer, server: TlsServer) -> None:
    command = tls_clients.command(tls_clients.SYNC.format(sizes=SIZES), server.port, server.certificate)
    with cgroup() as path:
        released = Workload(tracer, path)
        number = tracer.govern(path)
        assert released.run(command).conversations() == server.finished()
        tracer.release(number)
        assert released.run(command).values == []


def test_curl_and_kubectl_are_recorded_byte_for_byte(workload: Workload, tmp_path: Path) -> None:
    assert isinstance(workload.tracer.attach(KUBECTL), Attached)
    with running(tmp_path / "apiserver") as api:
        header = f"Authorization: Bearer {api.token}"
        curl = ["curl", "-sS", "-o", "/dev/null", "--cacert", api.ca, "-H", header]
        seen = workload.run([*curl, "--http1.1", f"{api.url}/version", f"{api.url}/api"])
        seen.values += workload.run([*curl, "--http2", f"{api.url}/version"]).values
        kubectl = [KUBECTL, "--kubeconfig", api.kubeconfig, "--cache-dir", tmp_path / "cache", "get", "secrets", "-A", "-o", "yaml"]
        seen.values += workload.run(kubectl, stdout=subprocess.DEVNULL).values
        wanted = [api.plaintext(number) for number in sorted(api.connections())]
    libraries = {tls.library for tls in seen.objects()}
    assert libraries == {"openssl", "go"}
    assert_told(wanted, seen)


def assert_told(wanted: list[tuple[bytes, bytes]], seen: Seen) -> None:
    """Each conversation as the server logged it. A client may end before it has read (or after it wrote) the very end."""
    found = sorted(seen.conversations())
    assert len(found) == len(wanted)
    for (out, into), (wanted_out, wanted_into) in zip(found, sorted(wanted), strict=True):
        assert out == wanted_out or out.startswith(wanted_out)
        assert into == wanted_into or wanted_into.startswith(into)
        assert out
        assert into


def test_fifty_short_lived_clients_are_whole(workload: Workload, server: TlsServer) -> None:
    for _ in range(50):
        assert workload.start(["curl", "-sk", "-o", "/dev/null", f"https://127.0.0.1:{server.port}/"]).wait(20) == 0
    seen = workload.rest()
    assert seen.conversations() == server.finished()
    firsts = [chunk for chunk in seen.of(TlsBytes) if chunk.position == 0 and chunk.direction is Direction.OUT]
    assert len(firsts) == 50
    assert all(chunk.data.startswith(b"GET / HTTP/1.1\r\n") and chunk.data.endswith(b"\r\n\r\n") for chunk in firsts)


def test_processes_of_a_millisecond_have_their_argv(workload: Workload) -> None:
    script = "i=0; while [ $i -lt 50 ]; do /bin/true $i 'two words' ''; i=$((i+1)); done"
    seen = workload.run(["/bin/sh", "-c", script])
    trues = [value for value in seen.of(ProcessExec) if value.argv[:1] == ("/bin/true",)]
    assert [value.argv for value in trues] == [("/bin/true", str(number), "two words", "") for number in range(50)]
    assert all(not value.argv_cut and Path(value.exe).name == "true" for value in trues)
    forks = {(value.pid, value.started): value for value in seen.of(ProcessFork)}
    ends = {(value.pid, value.started): value.status for value in seen.of(ProcessExit)}
    shell = seen.of(ProcessExec)[0]
    for value in trues:
        assert ends[value.pid, value.started] == 0
        assert forks[value.pid, value.started].parent_pid == value.parent_pid == shell.pid
        assert value.parent_started == shell.started


def test_an_exit_says_how(workload: Workload) -> None:
    seen = workload.run(["/bin/sh", "-c", "/bin/sh -c 'exit 7'; /bin/sh -c 'kill -9 $$'; true"])
    assert [value.status for value in seen.of(ProcessExit)] == [7, 137, 0]


def test_an_argv_that_is_too_long_is_cut_and_says_so(workload: Workload) -> None:
    seen = workload.run(["/bin/true", "x" * 10_000])
    value = seen.of(ProcessExec)[-1]
    assert value.argv_cut
    assert value.argv[1] == "x" * (4095 - len("/bin/true") - 1)


def test_a_process_started_when_proc_says_so(workload: Workload) -> None:
    process = workload.start(["sleep", "1"])
    seen = Seen(workload.tracer.poll(500))
    ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    assert {value.started // 10_000_000 for value in seen.of(ProcessExec)} == {ticks}
    assert process.wait(60) == 0
    workload.rest()


def test_a_ring_that_is_too_small_loses_what_it_says(server: TlsServer) -> None:
    with Tracer(TracerSettings(ring_pages=16)) as tracer, governed(tracer) as workload:
        tracer.attach(libssl())
        program = tls_clients.SYNC.format(sizes=[(20_000, 20_000)] * 40)
        process = workload.start(tls_clients.command(program, server.port, server.certificate))
        assert process.wait(30) == 0
        seen = workload.rest()
        seen.values += tracer.final_positions()
        assert tracer.lost.chunks
    assert {value.cause for value in seen.of(TlsLost)} == {Cause.RING_FULL}
    [(out, into)] = server.finished()
    assert_accounted(seen, out, into)


def assert_accounted(seen: Seen, out: bytes, into: bytes) -> None:
    """Kept and lost together are each byte once, and what was kept is right."""
    for direction, whole in ((Direction.OUT, out), (Direction.IN, into)):
        position = 0
        parts = [value for value in seen.values if isinstance(value, TlsBytes | TlsLost) and value.direction is direction]
        for value in parts:
            assert value.position == position
            assert not isinstance(value, TlsBytes) or whole[position:].startswith(value.data)
            position += len(value.data) if isinstance(value, TlsBytes) else value.size
        assert position == len(whole)


def test_a_file_is_probed_once(tracer: Tracer, tmp_path: Path) -> None:
    before = len(tracer.kernel.descriptors)
    (tmp_path / "link").symlink_to(libssl())
    assert isinstance(tracer.attach(tmp_path / "link"), Attached)
    assert len(tracer.kernel.descriptors) == before


def test_a_file_without_tls_says_why_it_is_not_covered(tracer: Tracer, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n")
    assert tracer.attach(tmp_path / "text") == NotCovered("64 bytes at 0 are not in the file")
    assert tracer.attach("/bin/true") == NotCovered("no TLS functions that we know")
    assert tracer.attach("/dev/null") == NotCovered("not a regular file")
    assert tracer.attach(tmp_path / "absent") == NotCovered("cannot open it: No such file or directory")


NODE = """
const tls = require('tls'), fs = require('fs');
const sizes = [[10, 20], [70000, 70000], [1, 1]];
const socket = tls.connect({port: +process.argv[1], host: '127.0.0.1', ca: fs.readFileSync(process.argv[2])}, ask);
let waiting = 0;
function ask() {
  if (!sizes.length) return socket.end();
  const [size, answer] = sizes.shift();
  waiting = answer;
  socket.write(`${size} ${answer}\\n`);
  socket.write(Buffer.alloc(size, size));
}
socket.on('data', data => { waiting -= data.length; if (!waiting) ask(); });
"""


@pytest.mark.skipif(not shutil.which("node"), reason="no node: apt-get install nodejs")
def test_node_with_openssl_inside_is_recorded_byte_for_byte(workload: Workload, server: TlsServer) -> None:
    assert isinstance(workload.tracer.attach(Path(str(shutil.which("node"))).resolve()), Attached)
    seen = workload.run(["node", "-e", NODE, str(server.port), server.certificate])
    assert seen.conversations() == server.finished()


def test_one_call_of_sixteen_mebibytes_is_whole_and_the_rest_of_a_longer_one_is_counted(server: TlsServer) -> None:
    size = 20 << 20
    with Tracer(TracerSettings(ring_pages=8192)) as tracer, governed(tracer) as workload:
        tracer.attach(libssl())
        seen = run(workload, server, tls_clients.SYNC.format(sizes=[(16 << 20, 1), (size, 1)]))
    [(out, into)] = server.finished()
    assert_accounted(seen, out, into)
    [lost] = seen.of(TlsLost)
    assert (lost.cause, lost.direction) == (Cause.TOO_LONG, Direction.OUT)
    assert lost.position + lost.size == len(out)
    assert size - (16 << 20) <= lost.size < size - (16 << 20) + 32768


def test_a_program_that_executes_another_begins_new_objects(workload: Workload, server: TlsServer) -> None:
    again = tls_clients.SYNC.format(sizes=[(10, 10)])
    program = "tls = connect()\nask(tls, 5, 5)\n"
    program += f"os.execv(sys.executable, [sys.executable, '-c', {tls_clients.START + again!r}, *sys.argv[1:]])\n"
    seen = run(workload, server, program)
    first, second = seen.objects()
    assert (first.pid, first.started) == (second.pid, second.started)
    assert first.image + 1 == second.image
    assert seen.conversations() == server.finished()
    assert [closed.tls for closed in seen.of(TlsClosed)] == [first, second]
