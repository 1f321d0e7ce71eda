"""What waits for a collector: ours, and what earlier agents left."""

import time
from pathlib import Path

from chaperone.agent.deliver.backlog import Backlog, backlog
from chaperone.agent.deliver.cargo import load
from chaperone.agent.settings import SessionOptions, Settings, Storage
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction


def settings(spool: Path) -> Settings:
    return Settings((), (), "", SessionOptions(), storage=Storage(spool, 1 << 20, bytes(range(32))))


CHUNK = Chunk(StreamId("57" * 16), Direction.OUT, 0, b"ab", 1)


def test_what_dead_agents_left_counts_and_is_as_old_as_its_agents_end(tmp_path: Path) -> None:
    began = time.time()
    first, _ = load(settings(tmp_path), "a")
    first.outbox.put(CHUNK)
    first.outbox.flush()
    first.outbox.tick()
    assert first.outbox.spool
    left = first.outbox.spool.size
    first.outbox.spool.close()
    second, _ = load(settings(tmp_path), "b")
    found = backlog(second)
    assert (found.disk, found.memory, found.earlier, found.limit) == (0, 0, left, 1 << 20)
    assert 0 < found.age_s <= time.time() - began + 0.1, "the boot clock's offset is known to so much"
    second.outbox.put(CHUNK)
    second.outbox.flush()
    assert backlog(second).disk == left, "as much in its file"


def test_where_there_is_no_disk_what_waits_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cargo, _ = load(settings(tmp_path / "file" / "spool"), "a")
    assert backlog(cargo) == Backlog()
    cargo.outbox.put(CHUNK)
    cargo.outbox.flush()
    assert backlog(cargo).memory == cargo.outbox.unacknowledged()[1] > 0
