"""The outbox keeps order, numbers and facts, and bounds its memory."""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.agent.deliver import outbox as module
from chaperone.agent.deliver.clock import wall_offset_ns
from chaperone.agent.deliver.outbox import BATCH_SIZE, CACHE, FACT_SIZE, Limits, Outbox
from chaperone.agent.deliver.segment import frames_in
from chaperone.agent.deliver.spool import Spool
from chaperone.agent.deliver.start import found_in
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, StreamId
from chaperone.proto.records import (
    Cause,
    Chunk,
    Direction,
    Loss,
    NameAnswer,
    Note,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
    StreamOpened,
    unpack,
)

STREAM = StreamId("s")


def chunk(position: int, size: int, direction: Direction = Direction.OUT) -> Chunk:
    return Chunk(STREAM, direction, position, bytes(size), position)


def drained(outbox: Outbox) -> list[Record]:
    """Everything closed, in order, with numbers checked to have no gap."""
    outbox.flush()
    records: list[Record] = []
    number = 0
    while (batch := outbox.after(number, 0)) is not None:
        assert batch.number == number + 1
        number = batch.number
        data = zstandard.ZstdDecompressor().decompress(batch.records)
        assert len(data) == batch.size
        records += unpack(data)
    return records


def test_records_come_out_in_order() -> None:
    outbox = Outbox(Limits(batch=1000))
    put = [chunk(position, 300) for position in range(0, 3000, 300)]
    for record in put:
        outbox.put(record)
    assert drained(outbox) == put


def test_a_batch_closes_when_it_is_full_or_old() -> None:
    outbox = Outbox(Limits(batch=1000, delay_ns=20_000_000))
    outbox.put(chunk(0, 900))
    assert outbox.after(0, 0) is not None
    outbox.put(chunk(900, 1))
    outbox.tick()
    assert outbox.after(1, 0) is None
    time.sleep(0.03)
    outbox.tick()
    assert outbox.after(1, 0) is not None


def test_what_will_be_wanted_is_closed_soon() -> None:
    outbox = Outbox(Limits(delay_ns=60_000_000_000))
    outbox.put(chunk(0, 1))
    outbox.soon()
    assert outbox.is_wanted
    outbox.tick()
    time.sleep(module.SOON_NS / 1e9)
    outbox.tick()
    assert outbox.after(0, 0) is not None and not outbox.is_wanted
    outbox.put(chunk(1, 1))
    time.sleep(module.SOON_NS / 1e9)
    outbox.tick()
    assert outbox.after(1, 0) is None


def test_what_is_wanted_and_has_no_room_is_not_looked_at_again_and_again() -> None:
    outbox = Outbox(Limits(memory=100, delay_ns=60_000_000_000))
    outbox.soon()
    assert not outbox.is_wanted
    outbox.put(chunk(0, 1))
    outbox.soon()
    time.sleep(module.SOON_NS / 1e9)
    outbox.tick()
    assert not outbox.is_wanted and outbox.after(0, 0) is None


def test_past_the_limit_payload_becomes_exact_losses_and_facts_stay() -> None:
    outbox = Outbox(Limits(memory=5000, batch=100_000))
    for position in range(0, 20_000, 1000):
        outbox.put(chunk(position, 1000))
    outbox.put(StreamOpened(STREAM, ProcessId("p"), SessionId("x"), 1, "openssl"))
    records = drained(outbox)
    assert records[:4] == [chunk(position, 1000) for position in range(0, 4000, 1000)]
    assert records[4] == Loss(STREAM, Direction.OUT, 4000, 16_000, 4000, Cause.MEMORY)
    assert isinstance(records[5], StreamOpened)
    assert outbox.lost == 16_000


def test_acknowledged_batches_make_room() -> None:
    outbox = Outbox(Limits(memory=5000, batch=100))
    outbox.put(chunk(0, 2500))
    outbox.put(chunk(2500, 2500))
    outbox.acknowledge(1)
    outbox.put(chunk(5000, 2500))
    assert outbox.lost == 0, "zeros compress, and what is acknowledged is forgotten"
    assert outbox.unacknowledged()[0] == 2


def test_while_memory_is_full_losses_of_later_ticks_are_joined() -> None:
    outbox = Outbox(Limits(memory=1000, batch=100_000, delay_ns=1))
    outbox.put(chunk(0, 700))
    for position in range(700, 100_700, 1000):
        outbox.put(chunk(position, 1000))
        outbox.tick()
    assert len(drained(outbox)) <= 3


def test_facts_past_twice_the_limit_are_counted() -> None:
    outbox = Outbox(Limits(memory=10 * FACT_SIZE, batch=1 << 30))
    for pid in range(50):
        outbox.put(ProcessEnded(ProcessId(str(pid)), pid))
    assert len(drained(outbox)) == 20
    assert outbox.left_out == 30


def test_a_command_line_takes_the_room_it_needs() -> None:
    outbox = Outbox(Limits(memory=20_000, batch=1 << 30))
    for number in range(10):
        outbox.put(ProcessSeen(ProcessId(str(number)), SessionId("s"), 1, number, "/bin/x", ("x" * 10_000,)))
    assert outbox.missed[SessionId("s")] == 7


def test_what_name_servers_sent_takes_the_room_it_needs() -> None:
    outbox = Outbox(Limits(memory=4000, batch=1 << 30))
    answers = [NameAnswer(ConnectionId("c"), SessionId("s"), time, 0, 1000, bytes(1000), "udp") for time in range(10)]
    for answer in answers:
        outbox.put(answer)
    kept = drained(outbox)
    assert kept == answers[: len(kept)]
    assert 0 < len(kept) < 8
    assert outbox.missed[SessionId("s")] == 10 - len(kept)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(Direction)), st.integers(1, 400)), max_size=60), st.integers(100, 3000))
def test_every_byte_is_delivered_or_stated_lost(sizes: list[tuple[Direction, int]], memory: int) -> None:
    outbox, ends = Outbox(Limits(memory=memory, batch=500)), {Direction.OUT: 0, Direction.IN: 0}
    for direction, size in sizes:
        outbox.put(chunk(ends[direction], size, direction))
        ends[direction] += size
    seen = {Direction.OUT: 0, Direction.IN: 0}
    for record in drained(outbox):
        assert isinstance(record, Chunk | Loss)
        assert record.position == seen[record.direction]
        seen[record.direction] += len(record.data) if isinstance(record, Chunk) else record.size
    if not outbox.left_out:
        assert seen == ends


def test_the_offset_leads_from_boot_time_to_the_wall_clock() -> None:
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + wall_offset_ns()
    assert abs(now - time.time_ns()) < 50_000_000


def spooled(folder: Path, limits: Limits, limit: int = 64 << 20) -> Outbox:
    return Outbox(limits, Spool(folder, "a", limit))


def noisy(position: int, size: int) -> Chunk:
    return Chunk(STREAM, Direction.OUT, position, random.Random(position).randbytes(size), position)


def test_more_than_memory_waits_on_disk_and_comes_out_whole(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(memory=200_000, batch=50_000))
    put = [noisy(position, 30_000) for position in range(0, 9_000_000, 30_000)]
    for record in put:
        outbox.put(record)
    assert outbox.lost == 0 and outbox.unacknowledged()[1] > 8_000_000
    assert drained(outbox) == put
    outbox.acknowledge(1 << 40)
    assert outbox.unacknowledged() == (0, 0)


def test_what_waits_is_told_with_the_age_of_the_oldest(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(batch=1000))
    assert outbox.waiting() == (0, 0, 0.0)
    began = time.monotonic()
    outbox.put(noisy(0, 2000))
    outbox.put(noisy(2000, 2000))
    disk, memory, age_s = outbox.waiting()
    assert disk == outbox.unacknowledged()[1] > 4000 and memory == 0
    assert 0 < age_s <= time.monotonic() - began
    outbox.acknowledge(1)
    assert 0 < outbox.waiting()[2] < time.monotonic() - began
    outbox.acknowledge(2)
    assert outbox.waiting() == (0, 0, 0.0)
    in_memory = Outbox(Limits(batch=1000))
    in_memory.put(noisy(0, 2000))
    assert in_memory.waiting()[:2] == (0, in_memory.unacknowledged()[1])


def test_what_somebody_waits_for_goes_out_before_it_is_on_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "a", 1 << 30)
    outbox = Outbox(Limits(), spool)
    on_disk = [spool.size]
    outbox.put(chunk(0, 300))
    outbox.hurry()
    assert outbox.after(0, 0) is not None
    on_disk.append(spool.size)
    outbox.acknowledge(0)
    outbox.tick()
    on_disk.append(spool.size)
    assert on_disk[0] == on_disk[1] < on_disk[2]
    outbox.put(chunk(300, 300))
    outbox.hurry()
    outbox.acknowledge(2)  # before the disk has it
    outbox.tick()
    assert outbox.unacknowledged() == (0, 0) and spool.size == on_disk[2]
    outbox.put(chunk(600, 300))
    assert [record.position for record in _closed(outbox, 2)] == [600]  # type: ignore[union-attr]


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_somebody_waits_for_is_seen_off_if_anybody_sends(monkeypatch: pytest.MonkeyPatch, is_asked: bool) -> None:
    monkeypatch.setattr(module, "SEEING_OFF_S", 30)
    outbox, sent = Outbox(Limits()), list[int]()

    def send() -> None:
        while len(sent) < 3 and (batch := outbox.after(len(sent), 30)) is not None:
            sent.append(batch.number)

    sending = threading.Thread(target=send)
    if is_asked:
        sending.start()
        while not outbox._is_asked:
            time.sleep(0.001)
    began = time.monotonic()
    for number in (1, 2):
        outbox.put(chunk(number, 1))
        outbox.hurry()
        assert sent == ([*range(1, number + 1)] if is_asked else [])
    assert time.monotonic() - began < 20, "nobody is waited for who does not send"
    outbox.put(chunk(3, 1))
    outbox.flush()
    if is_asked:
        sending.join(30)
        assert sent == [1, 2, 3]


def _closed(outbox: Outbox, number: int) -> list[Record]:
    outbox.flush()
    batch = outbox.after(number, 0)
    assert batch is not None
    return list(unpack(zstandard.ZstdDecompressor().decompress(batch.records)))


def test_of_what_is_on_disk_memory_keeps_a_bounded_part(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(memory=200_000, batch=50_000))
    for position in range(0, 9_000_000, 30_000):
        outbox.put(noisy(position, 30_000))
    assert CACHE - 150_000 < sum(len(batch.records) for batch in outbox._cache.values()) <= outbox._cached <= CACHE
    outbox.acknowledge(5)
    outbox.acknowledge(outbox._number)
    assert (outbox._cache, outbox._cached) == ({}, 0)


GROWN = """
import sys
from pathlib import Path
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.spool import Spool
from chaperone.agent.deliver.start import found_in
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Chunk, Direction, SessionStarted, StreamOpened

def anonymous():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("RssAnon"))

outbox, went_away, hour = Outbox(Limits(), Spool(Path(sys.argv[1]), "a", 1 << 30)), 6_000, 72_000
for number in range(3):
    outbox.put(SessionStarted(SessionId(f"session {number}"), "w", 1))
    outbox.put(StreamOpened(StreamId(str(number)), ProcessId("p"), SessionId(f"session {number}"), 1, "openssl"))
for number in range(went_away + hour):
    if number == went_away:
        before = anonymous()
    outbox.put(Chunk(StreamId(str(number % 3)), Direction.OUT, number, b"x", number))
    outbox.flush()
grown, last = anonymous() - before, 0
while (batch := outbox.after(last, 0)) is not None:
    assert batch.number == last + 1
    last = batch.number
    if last % 1000 == 0:
        outbox.acknowledge(last - 500)
assert last == went_away + hour, last
left = outbox.unacknowledged()[0]
print(grown, anonymous() - before, left, outbox.lost + outbox.left_out)
"""


def test_as_many_batches_as_an_hour_without_a_collector_makes_cost_no_memory(tmp_path: Path) -> None:
    """One every 50 ms; at 19 hours 1 KiB for each were 1.3 GiB. The agent then dies: what it left is there from the last ack on."""
    done = subprocess.run([sys.executable, "-c", GROWN, str(tmp_path)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    grown, at_the_end, left, lost = map(int, done.stdout.split())
    assert (left, lost) == (500, 0)
    assert max(grown, at_the_end) < 4 << 20, "under 60 bytes a batch"
    start = found_in(tmp_path / "a")
    assert start is not None
    assert [frame.number for frame in start.frames()][-500:] == [*range(77_501, 78_001)]
    assert not list(start.damages())


def test_batches_in_memory_alone_count_with_what_they_take_besides_their_records() -> None:
    outbox = Outbox(Limits(memory=100 * BATCH_SIZE))
    for position in range(1000):
        outbox.put(chunk(position, 1))
        outbox.tick()
        outbox.flush()
    assert outbox.lost > 800 and outbox.unacknowledged()[0] < 200 and outbox.left_out > 700


def test_a_full_spool_is_memory_and_then_exact_losses(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(memory=300_000, batch=50_000), limit=1_000_000)
    for position in range(0, 3_000_000, 30_000):
        outbox.put(noisy(position, 30_000))
        outbox.tick()
    position = 0
    for record in drained(outbox):
        assert isinstance(record, Chunk | Loss) and record.position == position
        position += len(record.data) if isinstance(record, Chunk) else record.size
    assert position == 3_000_000 and 1_600_000 < outbox.lost < 2_100_000


def test_when_the_disk_has_room_again_what_waited_in_memory_goes_there_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = spooled(tmp_path, Limits(memory=10_000_000, batch=50_000), limit=400_000)
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    put = [noisy(position, 30_000) for position in range(0, 900_000, 30_000)]
    for record in put:
        outbox.put(record)
    assert outbox._held > 300_000
    found = drained(outbox)
    assert outbox.spool
    outbox.spool.limit = 64 << 20
    outbox.put(noisy(900_000, 60_000))
    assert (outbox._held, found) == (0, put)
    files = sorted(tmp_path.glob("a/*.segment"))
    assert [frame.number for path in files for frame in frames_in(path)] == list(range(1, outbox._number + 1))


def test_a_batch_that_the_disk_spoiled_is_said_with_its_number(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(batch=50_000))
    outbox.put(SessionStarted(SessionId("x"), "w", 1))
    outbox.put(StreamOpened(STREAM, ProcessId("p"), SessionId("x"), 1, "openssl"))
    for position in range(0, 9_000_000, 30_000):
        outbox.put(noisy(position, 30_000))
    last = max(tmp_path.glob("a/*.segment"))
    data = bytearray(last.read_bytes())
    data[200] ^= 1
    last.write_bytes(data)
    records = drained(outbox)
    [note] = [record for record in records if isinstance(record, Note)]
    assert note.session == "x" and not note.complete and "was damaged on disk" in note.text
    assert drained(outbox) == records, "the same batch each time it is sent"


def test_sessions_are_open_in_the_spool_until_their_end_is_there(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits())
    outbox.put(SessionStarted(SessionId("x"), "w", 1))
    outbox.flush()
    assert json.loads((tmp_path / "a/start.json").read_text())["sessions"] == ["x"]
    outbox.put(SessionEnded(SessionId("x"), 2))
    assert json.loads((tmp_path / "a/start.json").read_text())["sessions"] == ["x"]
    outbox.flush()
    assert json.loads((tmp_path / "a/start.json").read_text())["sessions"] == []


def test_one_that_floods_takes_nothing_from_nine(tmp_path: Path) -> None:
    outbox = spooled(tmp_path, Limits(memory=400_000, batch=20_000), limit=2_000_000)
    for number in range(10):
        outbox.put(SessionStarted(SessionId(f"x{number}"), "w", 1))
        outbox.put(StreamOpened(StreamId(f"s{number}"), ProcessId("p"), SessionId(f"x{number}"), 1, "openssl"))
    for position in range(0, 6_000_000, 3_000):
        outbox.put(Chunk(StreamId("s0"), Direction.OUT, position, random.Random(position).randbytes(3000), 1))
        if position % 60_000 == 0:
            for number in range(1, 10):
                outbox.put(Chunk(StreamId(f"s{number}"), Direction.OUT, position // 120, random.Random(position).randbytes(500), 1))
    lost = [record.stream for record in drained(outbox) if isinstance(record, Loss)]
    assert set(lost) == {"s0"} and outbox.lost > 4_000_000


def test_facts_past_the_limit_are_counted_for_the_session_that_said_too_many() -> None:
    outbox = Outbox(Limits(memory=50 * FACT_SIZE, batch=1 << 30))
    for session in ("hog", "other"):
        outbox.put(SessionStarted(SessionId(session), "w", 1))
    for pid in range(500):
        outbox.put(ProcessSeen(ProcessId(str(pid)), SessionId("hog"), 1, pid))
        outbox.put(ProcessEnded(ProcessId(str(pid)), pid))
    for pid in range(500, 505):
        outbox.put(ProcessSeen(ProcessId(str(pid)), SessionId("other"), 1, pid))
    assert set(outbox.missed) == {"hog"}


def test_each_batch_has_the_offset_of_its_time() -> None:
    offsets = iter([5, -3_600_000_000_000])
    outbox = Outbox(Limits(), offset=lambda: next(offsets))
    for position in (0, 1):
        outbox.put(chunk(position, 1))
        outbox.flush()
    batches = [outbox.after(0, 0), outbox.after(1, 0)]
    assert [batch.wall_offset_ns for batch in batches if batch] == [5, -3_600_000_000_000]


def test_of_what_is_recorded_strictly_nothing_is_given_up_while_it_is_being_held() -> None:
    strict, lax = SessionId("strict"), SessionId("lax")
    outbox = Outbox(Limits(memory=100_000, batch=10_000))
    outbox.strict.add(strict)
    for session in (strict, lax):
        outbox.put(SessionStarted(session, session, 1))
        outbox.put(StreamOpened(StreamId(session), ProcessId("p"), session, 1, "openssl"))
    assert outbox.has_room(strict, 50_000)
    for number in range(18):
        outbox.put(Chunk(StreamId(strict), Direction.OUT, number * 10_000, random.Random(number).randbytes(10_000), number))
        outbox.tick()
    assert not outbox.has_room(strict, 1) and outbox.lost == 0 and not outbox.losses
    assert outbox.shortage().endswith("bytes wait for a collector, and nothing is kept on disk")
    outbox.put(Chunk(StreamId(lax), Direction.OUT, 0, bytes(10_000), 1))
    assert outbox.lost == 10_000 and not outbox.losses, "of another session"
    for number in range(18, 25):
        outbox.put(Chunk(StreamId(strict), Direction.OUT, number * 10_000, random.Random(number).randbytes(10_000), number))
    assert strict in outbox.losses or outbox.missed[strict], "who can't be held after all loses, and it is known"
    outbox.acknowledge(outbox._number)
    assert outbox.has_room(strict, 50_000)
