"""Records on their way to the collector: one open batch, then numbered batches until they are acknowledged.

Memory is bounded. Past the limit the newest payload is given up: a chunk becomes a `Loss` of exactly its bytes, and
losses that follow one another are joined. Batches that have a number never change. If even the facts (processes,
streams, losses) reach twice the limit, further ones are left out and counted; the recording then says so.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace

import zstandard

from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Cause, Chunk, Loss, Record, pack

FACT_SIZE = 200  # bytes that a record without payload is taken for


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch closes, and how much may wait."""

    memory: int = 64 << 20  # bytes of unacknowledged records
    batch: int = 256 << 10  # bytes of records in one batch
    delay_ns: int = 50_000_000


class Outbox:
    """Filled by the thread that reads the kernel, emptied by the one that talks to the collector."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.left_out = 0  # facts dropped past twice the limit
        self.lost = 0  # payload bytes given up here
        self._changed = threading.Condition()
        self._open: list[Record] = []
        self._open_size = 0
        self._opened_ns = 0
        self._closed: deque[wire.Batch] = deque()
        self._held = 0
        self._number = 0

    def put(self, record: Record) -> None:
        """Take one record; never blocks."""
        with self._changed:
            size = FACT_SIZE + (len(record.data) if isinstance(record, Chunk) else 0)
            if isinstance(record, Chunk) and self._waiting() + size > self.limits.memory:
                record, size = _given_up(record), FACT_SIZE
                self.lost += record.size
            if self._waiting() + size > 2 * self.limits.memory:
                self.left_out += 1
            elif not self._joined(record):
                self._append(record, size)

    def tick(self) -> None:
        """Close the open batch if it is old enough, unless memory is full: then losses go on being joined in it."""
        with self._changed:
            is_due = self._open and time.monotonic_ns() - self._opened_ns >= self.limits.delay_ns
            if is_due and self._waiting() < self.limits.memory:
                self._close()

    def flush(self) -> None:
        """Close the open batch now."""
        with self._changed:
            if self._open:
                self._close()

    def after(self, number: int, timeout_s: float) -> wire.Batch | None:
        """The first batch with a higher number, waiting that long for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, timeout_s)
            if not self._closed or self._number <= number:
                return None
            return self._closed[max(0, number + 1 - self._closed[0].number)]

    def acknowledge(self, number: int) -> None:
        """Forget all batches up to this number."""
        with self._changed:
            while self._closed and self._closed[0].number <= number:
                self._held -= len(self._closed.popleft().records)
            self._changed.notify_all()

    def change(self, batch: int, delay_ns: int) -> None:
        """Use the collector's size and age for further batches; 0 leaves one as it is."""
        with self._changed:
            self.limits = replace(self.limits, batch=batch or self.limits.batch, delay_ns=delay_ns or self.limits.delay_ns)

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether everything closed was acknowledged in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._closed, timeout_s)

    def unacknowledged(self) -> tuple[int, int]:
        """Batches and bytes that nobody has confirmed."""
        with self._changed:
            return len(self._closed), self._held

    def _waiting(self) -> int:
        return self._held + self._open_size

    def _append(self, record: Record, size: int) -> None:
        if not self._open:
            self._opened_ns = time.monotonic_ns()
        self._open.append(record)
        self._open_size += size
        if self._open_size >= self.limits.batch:
            self._close()

    def _joined(self, record: Record) -> bool:
        """Make one loss of two that touch, if the newest record is the first of them."""
        last = self._open[-1] if self._open else None
        if not (isinstance(record, Loss) and isinstance(last, Loss) and _touch(last, record)):
            return False
        self._open[-1] = Loss(last.stream, last.direction, last.position, last.size + record.size, last.time, last.cause)
        return True

    def _close(self) -> None:
        data = pack(self._open)
        self._number += 1
        frame = zstandard.ZstdCompressor(level=1).compress(data)
        self._closed.append(wire.Batch(number=self._number, wall_offset_ns=wall_offset_ns(), records=frame, size=len(data)))
        self._held += len(frame)
        self._open, self._open_size = [], 0
        self._changed.notify_all()


def wall_offset_ns() -> int:
    """Wall clock minus boot clock, now."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _given_up(chunk: Chunk) -> Loss:
    return Loss(chunk.stream, chunk.direction, chunk.position, len(chunk.data), chunk.time, Cause.MEMORY)


def _touch(first: Loss, second: Loss) -> bool:
    same = (first.stream, first.direction, first.cause) == (second.stream, second.direction, second.cause)
    return same and first.position + first.size == second.position
