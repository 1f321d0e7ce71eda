"""The outbox keeps order, numbers and facts, and bounds its memory."""

import time

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.agent.deliver.outbox import FACT_SIZE, Limits, Outbox, wall_offset_ns
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Cause, Chunk, Direction, Loss, ProcessEnded, Record, StreamOpened, unpack

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
    outbox = Outbox(Limits(memory=3000, batch=100))
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
