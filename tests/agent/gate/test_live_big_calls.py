"""Live: calls that the kernel cannot copy are read from the stopped thread's memory. Truth is the client's own digest."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import no_tracing, recorded_alone
from support.c_peer import built
from support.kernel import skip_without_kernel
from support.live_recording import of, recorded
from support.tls_server import TlsServer

from chaperone.agent.gate.held import Held, Readers
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import Cause, Chunk, Direction, Loss, Record, unpack

pytestmark = pytest.mark.kernel
MIB = 1 << 20
WRITE = """
import hashlib, os, socket, ssl, sys
port, certificate, size, out, times = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
context = ssl.create_default_context(cafile=certificate)
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
digest = hashlib.sha256()
for _ in range(times):
    data = b"%d 3\\n" % size + os.urandom(size)
    digest.update(data)
    tls.sendall(data)
    got = 0
    while got < 3: got += len(tls.recv(3 - got))
open(out, "w").write(digest.hexdigest())
tls.unwrap()
"""


def written(tracer: Tracer, server: TlsServer, out: Path, size: int, times: int = 1) -> tuple[str, list[Loss]]:
    """SHA-256 of what was recorded of a client that writes `times` calls of `size` bytes, and what was lost."""
    records = recorded(tracer, [sys.executable, "-c", WRITE, str(server.port), str(server.certificate), str(size), str(out), str(times)])
    digest, position = hashlib.sha256(), 0
    for chunk in of(records, Chunk):
        if chunk.direction is Direction.OUT:
            assert chunk.position == position
            digest.update(chunk.data)
            position += len(chunk.data)
    return digest.hexdigest(), of(records, Loss)


def test_sixty_four_mebibytes_in_one_call_are_whole(server: TlsServer, tmp_path: Path) -> None:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=16384)) as tracer:
        digest, losses = written(tracer, server, tmp_path / "out", 64 * MIB)
    assert losses == []
    assert digest == (tmp_path / "out").read_text()


def test_a_full_ring_is_waited_for(server: TlsServer, tmp_path: Path) -> None:
    """Calls of 1 MiB through a ring of 256 KiB."""
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=64)) as tracer:
        digest, losses = written(tracer, server, tmp_path / "out", MIB, times=5)
    assert losses == []
    assert digest == (tmp_path / "out").read_text()


AT_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def test_at_a_terminal_a_full_ring_is_a_loss_of_exactly_what_it_did_not_take(server: TlsServer, tmp_path: Path) -> None:
    """The same calls: nobody is stopped there, and what was lost is stated, byte for byte."""
    skip_without_kernel()
    client = [sys.executable, "-c", WRITE, str(server.port), str(server.certificate), str(MIB), str(tmp_path / "out"), "5"]
    with Tracer(TracerSettings(ring_pages=64)) as tracer:
        records = recorded(tracer, [sys.executable, "-c", AT_A_TERMINAL, *client], statuses=[0])
    [(out, _)] = [sides for sides in server.finished() if sides[0]]
    parts = [part for part in records if isinstance(part, Chunk | Loss) and part.direction is Direction.OUT]
    position = 0
    for part in parts:
        assert part.position == position
        position += part.size if isinstance(part, Loss) else len(part.data)
        assert isinstance(part, Loss) or part.data == out[part.position : position]
    assert position == len(out) == 5 * (MIB + len(b"1048576 3\n"))
    lost = [part for part in parts if isinstance(part, Loss)]
    assert {part.cause for part in lost} == {Cause.RING_FULL} and sum(part.size for part in lost) > MIB


SIZE = 200_000  # of the big write
HEAD, TAIL = len(b"200000 4\n"), len(b"3 4\nend")
ALL_OF_IT = [(HEAD, SIZE, Cause.PAGE_ABSENT)]


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=1024)) as opened:
        yield opened


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    return built("absent_pages", tmp_path, "-lssl", "-lcrypto", "-lpthread")


def command(peer: Path, server: TlsServer, way: str) -> list[str | Path]:
    return [peer, str(server.port), server.certificate, peer.with_suffix(".data"), str(SIZE), way]


def missing(records: list[Record], server: TlsServer) -> list[tuple[int, int, str]]:
    """Each gap of what the client wrote: from where, how much, why. All else must be there, as the server got it, once."""
    [(out, _)] = [sides for sides in server.finished() if sides[0]]
    parts = [part for part in records if isinstance(part, Chunk | Loss) and part.direction is Direction.OUT]
    gaps, position = [], 0
    for part in sorted(parts, key=lambda part: part.position):
        assert part.position == position
        if isinstance(part, Loss):
            gaps.append((part.position, part.size, part.cause))
        else:
            assert part.data == out[position : position + len(part.data)]
        position += part.size if isinstance(part, Loss) else len(part.data)
    assert position == len(out) == HEAD + SIZE + TAIL
    return gaps


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what was read from memory."""
    found: list[int] = []
    original = Readers.read

    def read(self: Readers, workload: int, pid: int, address: int, size: int) -> bytes:
        data = original(self, workload, pid, address, size)
        found.append(len(data))
        return data

    monkeypatch.setattr(Readers, "read", read)
    return found


def test_pages_that_went_out_of_memory_are_brought_in_again(tracer: Tracer, server: TlsServer, peer: Path, reads: list[int]) -> None:
    assert missing(recorded(tracer, command(peer, server, "evicted"), statuses=(0,)), server) == []
    assert sum(reads) == SIZE


def test_pages_that_nobody_can_bring_in_are_a_gap(tracer: Tracer, server: TlsServer, peer: Path) -> None:
    assert missing(recorded(tracer, command(peer, server, "cut"), statuses=(0,)), server) == ALL_OF_IT


def test_pages_that_the_program_does_not_bring_in_are_a_gap_and_hold_nobody_up(tracer: Tracer, server: TlsServer, peer: Path) -> None:
    assert missing(recorded(tracer, command(peer, server, "awaited"), statuses=(0,)), server) == ALL_OF_IT


def test_a_process_that_somebody_else_traces_has_a_gap_and_goes_on(tracer: Tracer, server: TlsServer, peer: Path, reads: list[int]) -> None:
    traced: list[str | Path] = ["strace", "-f", "-e", "trace=none", "-o", "/dev/null", *command(peer, server, "evicted")]
    assert missing(recorded(tracer, traced, statuses=(0,)), server) == ALL_OF_IT
    assert reads == []


def test_where_nobody_may_trace_there_is_a_gap(server: TlsServer, peer: Path, tmp_path: Path) -> None:
    """A filter of system calls stands in for Yama's ptrace_scope 3, which not every kernel has and which none takes back."""
    skip_without_kernel()
    alone = [sys.executable, no_tracing.__file__, sys.executable, recorded_alone.__file__, tmp_path / "records"]
    subprocess.run([*alone, *command(peer, server, "evicted")], check=True, timeout=120)
    assert missing(list(unpack((tmp_path / "records").read_bytes())), server) == ALL_OF_IT


def test_the_end_of_the_process_at_the_door_ends_the_reading(
    tracer: Tracer, server: TlsServer, peer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tracee runs on, and overwrites what it wrote: none of that may pass for the bytes of the call."""
    original, counts = Held.pieces, list[int]()

    def pieces(self: Held) -> Iterator[bytes]:
        for data in original(self):
            counts.append(len(data))
            if len(counts) == 2:
                [door] = self.tracers
                os.kill(int(door), signal.SIGKILL)
                wait_until_it_runs(self.record.thread)
            yield data

    monkeypatch.setattr(Held, "pieces", pieces)
    gaps = missing(recorded(tracer, command(peer, server, "evicted"), statuses=(0,)), server)
    assert gaps == [(HEAD + sum(counts), SIZE - sum(counts), Cause.PAGE_ABSENT)]
    assert len(counts) == 2


def wait_until_it_runs(thread: int) -> None:
    status = Path(f"/proc/{thread}/status")
    while status.exists() and "TracerPid:\t0\n" not in status.read_text():
        pass
