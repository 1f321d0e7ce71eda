"""Live: the spool is full, no collector takes anything, the ring is small: not one byte is missing of what is recorded strictly."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zstandard
from support import tls_clients
from support.kernel import Workload, cgroup, skip_without_kernel
from support.live_recording import of
from support.tls_server import TlsServer

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.spool import Spool
from chaperone.agent.recording import Ended, Recording
from chaperone.agent.settings import Settings, parse
from chaperone.agent.strict.strict import SUBJECT
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Value
from chaperone.proto.records import Cause, Chunk, Direction, Loss, Note, Record, unpack

pytestmark = pytest.mark.kernel
RING = TracerSettings(ring_pages=64)  # 256 KiB
MEMORY, DISK = 1 << 20, 1 << 20
SIZES = [(200_000, 10)] * 25  # five megabytes
PATIENCE_S = 120


@pytest.fixture(autouse=True)
def _kernel() -> None:
    skip_without_kernel()


def taken(outbox: Outbox) -> list[Record]:
    """A collector is there: it takes all that waits."""
    records, number = list[Record](), 0
    while batch := outbox.after(number, 0):
        number = batch.number
        records += unpack(zstandard.ZstdDecompressor().decompress(batch.records))
        outbox.acknowledge(number)
    return records


@dataclass
class Late:
    """A collector that comes a while after the workload was held, and leaves again. `waits`: how often somebody waited for it."""

    recording: Recording
    records: list[Record] = field(default_factory=list)
    waits: int = 0

    def look(self) -> None:
        """Called at each poll."""
        if self.recording.strict.freezer.frozen:
            self.waits += 1
            if self.waits % 5 == 0:
                assert self.recording.outbox.spool and "limit" in self.recording.outbox.spool.trouble
                self.records += taken(self.recording.outbox)


class Watched(Tracer):
    """A loaded tracer at whose polls a collector may come."""

    def __init__(self, tracer: Tracer) -> None:
        self.__dict__.update(tracer.__dict__)
        self.late: Late | None = None

    def poll(self, timeout_ms: int) -> list[Value]:
        if self.late:
            self.late.look()
        return super().poll(timeout_ms)


def recorded(loaded: Tracer, path: Path, spool: Path, program: Sequence[str], *options: str) -> tuple[int, int, list[Record]]:
    """The program's status, how often a held one was waited for, and all records."""
    settings, tracer = parse(["--cgroup", str(path), "--record", "strict", *options]), Watched(loaded)
    assert isinstance(settings, Settings)
    recording = Recording(tracer, Outbox(Limits(memory=MEMORY, batch=100_000), Spool(spool, "agent", DISK)), settings)
    late = tracer.late = Late(recording)
    process, deadline = Workload(tracer, path).start(program), time.monotonic() + PATIENCE_S
    while process.poll() is None:
        recording.step()
        assert time.monotonic() < deadline
    recording.end(Ended(process.returncode))
    return process.returncode, late.waits, late.records + taken(recording.outbox)


def plaintext(records: list[Record], direction: Direction) -> bytes:
    data = b""
    for chunk in of(records, Chunk):
        if chunk.direction is direction:
            assert chunk.position == len(data)
            data += chunk.data
    return data


def test_with_the_spool_full_and_nobody_there_it_waits_and_is_whole(tmp_path: Path, server: TlsServer) -> None:
    with Tracer(RING) as tracer, cgroup() as path:
        command = tls_clients.command(tls_clients.SYNC.format(sizes=SIZES), server.port, server.certificate)
        status, waits, records = recorded(tracer, path, tmp_path / "spool", command)
    [(out, into)] = server.finished()
    assert status == 0 and waits >= 10, "more than disk and memory hold, twice"
    assert not of(records, Loss)
    assert (plaintext(records, Direction.OUT), plaintext(records, Direction.IN)) == (out, into)
    said = [note.text for note in of(records, Note) if note.subject == SUBJECT]
    assert sum("are held" in text for text in said) == sum("go on after" in text for text in said) >= 2
    assert all(note.complete for note in of(records, Note) if note.subject == SUBJECT)


def test_one_call_beyond_all_room_is_read_as_room_comes(tmp_path: Path, server: TlsServer) -> None:
    with Tracer(RING) as tracer, cgroup() as path:
        command = tls_clients.command(tls_clients.SYNC.format(sizes=[(8 << 20, 10)]), server.port, server.certificate)
        status, _, records = recorded(tracer, path, tmp_path / "spool", command)
    [(out, _)] = server.finished()
    assert (status, of(records, Loss)) == (0, [])
    assert plaintext(records, Direction.OUT) == out


def test_a_byte_that_is_lost_all_the_same_is_the_last(tmp_path: Path, server: TlsServer) -> None:
    with Tracer() as tracer, cgroup() as path:
        endless = tls_clients.command("tls = connect()\nwhile True: ask(tls, 100, 100)", server.port, server.certificate)
        status, _, records = recorded(tracer, path, tmp_path / "spool", endless, "--simulate-drops", "20")
    assert status == -9
    assert of(records, Loss)[0].cause == Cause.DROPPED
    [note] = [note for note in of(records, Note) if note.subject == SUBJECT]
    assert note.text.startswith("its processes were ended: ") and "dropped on purpose" in note.text and not note.complete


def test_without_strictness_the_same_loses(tmp_path: Path, server: TlsServer) -> None:
    with Tracer(RING) as tracer, cgroup() as path:
        command = tls_clients.command(tls_clients.SYNC.format(sizes=SIZES), server.port, server.certificate)
        status, waits, records = recorded(tracer, path, tmp_path / "spool", command, "--record", "best_effort")
    assert (status, waits) == (0, 0)
    assert sum(loss.size for loss in of(records, Loss)) > 1 << 20
