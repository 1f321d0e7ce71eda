"""A spool whose file system is full: memory takes over, then exact losses; with space again it goes on, and nothing is unsaid."""

import contextlib
import json
import random
from pathlib import Path

from support.outboxes import waiting
from support.small_disk import small_disk

from chaperone.agent.deliver import outbox as module
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.segment import frames_in
from chaperone.agent.deliver.spool import RESERVE, RESERVED, START, Spool
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Cause, Chunk, Direction, Loss, Record, SessionStarted, StreamOpened

STREAM, SESSION, SIZE = StreamId("s"), SessionId("x"), 10_000


def fill(outbox: Outbox, chunks: range) -> None:
    for number in chunks:
        outbox.put(Chunk(STREAM, Direction.OUT, number * SIZE, random.Random(number).randbytes(SIZE), number))
        outbox.tick()


def everything(outbox: Outbox) -> list[Record]:
    outbox.flush()
    return waiting(outbox)


def test_a_full_disk_costs_what_is_stated_and_no_more(tmp_path: Path) -> None:
    module_retry, module.RETRY_S = module.RETRY_S, 0.0
    try:
        with small_disk(tmp_path / "small", "6m") as directory:
            filler = directory / "filler"
            filler.write_bytes(b"\0" * (4 << 20))
            outbox = Outbox(Limits(memory=1_000_000, batch=100_000), Spool(directory / "spool", "a", 1 << 30))
            outbox.put(SessionStarted(SESSION, "w", 1))
            outbox.put(StreamOpened(STREAM, ProcessId("p"), SESSION, 1, "openssl"))
            fill(outbox, range(400))
            assert outbox.spool and outbox.spool.trouble == "No space left on device"
            assert 700_000 < outbox.lost < 1_700_000
            filler.unlink()
            lost = outbox.lost
            fill(outbox, range(400, 420))
            outbox.acknowledge(3)
            fill(outbox, range(420, 440))
            assert outbox.lost - lost <= 20 * SIZE and not outbox.spool.trouble
            assert_all_is_said(everything(outbox))
            frames = [frame.number for path in sorted(outbox.spool.folder.glob("*.segment")) for frame in frames_in(path)]
            assert frames == list(range(frames[0], outbox._number + 1))
            outbox.spool.close()
    finally:
        module.RETRY_S = module_retry


def assert_all_is_said(records: list[Record]) -> None:
    """From the first byte that is still there to the last: chunks, or losses for want of memory."""
    parts = [record for record in records if isinstance(record, Chunk | Loss)]
    position = parts[0].position
    for part in parts:
        assert part.position == position and getattr(part, "cause", Cause.MEMORY) == Cause.MEMORY
        position += len(part.data) if isinstance(part, Chunk) else part.size
    assert position == 440 * SIZE


def test_a_session_that_begins_on_a_full_disk_is_known_to_the_next_agent(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "2m") as directory:
        spool = Spool(directory / "spool", "a", 1 << 30)
        with (directory / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"\0" * 4096):
                continue
        spool.begin(SESSION)
        assert json.loads((spool.folder / START).read_text())["sessions"] == [SESSION] and not spool.trouble
        spool.end([SESSION])
        spool.begin(SessionId("another"))
        assert spool.trouble == "" or json.loads((spool.folder / START).read_text())["sessions"] == []
        (directory / "filler").unlink()
        spool._lived = 0
        spool.live(lambda: 0)
        assert (spool.folder / RESERVE).stat().st_size == RESERVED, "room for the next time"
        spool.close()
