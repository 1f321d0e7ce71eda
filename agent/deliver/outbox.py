"""Records on their way to the collector: one open batch, then numbered batches until they are acknowledged.

Closed batches go to the spool (spool.py) and, where that cannot take them, stay in memory, which is bounded. Past the limit
payload is given up: a chunk becomes a `Loss` of exactly its bytes, and losses that follow one another are joined. What is given up
is that of sessions over their share (shares.py). Batches that have a number never change. If even the facts (processes, streams,
losses) reach twice the limit, further ones are left out and counted; the recording then says so.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import zstandard

from chaperone.agent.deliver.ages import Ages
from chaperone.agent.deliver.clock import wall_offset_ns
from chaperone.agent.deliver.shares import Shares
from chaperone.agent.deliver.spool import Spool
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Cause, Chunk, Hold, Loss, NameAnswer, Note, ProcessSeen, Record, SessionEnded, SessionStarted, pack

STRICT = 2  # times the memory is what sessions may fill that are held before it is full (agent/strict): it isn't known what comes still
FACT_SIZE = 200  # bytes that a record is taken for besides its payload or command line
BATCH_SIZE = 1 << 10  # bytes that a batch in memory is taken for besides its records
CACHE = 4 << 20  # bytes of batches that are kept in memory although they are on disk: a collector that is there gets these
BATCH_LIMIT = 16 << 20  # bytes of records in one batch, whatever a collector asks for
SEEING_OFF_S = 0.002
SOON_MS = 2
SOON_NS = SOON_MS * 1_000_000
RETRY_S = 1.0  # before a disk that refused a batch is asked again


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch closes, and how much may wait in memory."""

    memory: int = 64 << 20  # bytes of unacknowledged records that are not on disk
    batch: int = 256 << 10  # bytes of records in one batch
    delay_ns: int = 50_000_000


@dataclass(frozen=True, slots=True)
class _Closed:
    """A batch that is in memory alone. `parts`: bytes of it by session; `ended`: sessions that it ends."""

    size: int
    parts: dict[SessionId, int]
    batch: wire.Batch
    ended: tuple[SessionId, ...]


@dataclass(slots=True)
class _Open:
    """The batch that is being filled."""

    records: list[Record] = field(default_factory=list)
    size: int = 0
    since_ns: int = 0
    is_wanted: bool = False
    parts: Counter[SessionId] = field(default_factory=Counter)


class Outbox:
    """Filled by the thread that reads the kernel, emptied by the one that talks to the collector."""

    def __init__(self, limits: Limits, spool: Spool | None = None, offset: Callable[[], int] = wall_offset_ns) -> None:
        self.limits, self.spool, self.offset = limits, spool, offset
        self.missed: Counter[SessionId] = Counter()  # facts dropped past twice the limit
        self.lost = 0  # payload bytes given up here
        self.strict: set[SessionId] = set()  # of these nothing is given up as long as they can be held
        self.losses: dict[SessionId, Loss] = {}  # of these the first that there was
        self._changed = threading.Condition()
        self._open = _Open()
        self._unspooled = deque[_Closed]()  # the last batches; all before are on disk, and that alone keeps them in a long absence
        self._cache: dict[int, wire.Batch] = {}  # some of those on disk, by number
        self._held = self._cached = 0  # bytes that wait in memory alone; in memory and on disk
        self._number = self._acknowledged = self._seen_off = 0
        self._is_asked = False  # whether somebody waits for a batch to send
        self._retry = 0.0
        self._shares, self._ages = Shares(), Ages()

    @property
    def left_out(self) -> int:
        """Facts dropped past twice the limit, of all sessions."""
        return self.missed.total()

    def put(self, record: Record) -> None:
        """Take one record; never blocks but on the disk."""
        with self._changed:
            owner = self._shares.owner(record)
            size = size_of(record)
            if isinstance(record, Chunk) and not self._has_room(owner, size):
                record, size = given_up(record), FACT_SIZE
                self.lost += record.size
            if isinstance(record, Loss) and owner in self.strict:
                self.losses.setdefault(owner, record)
            if not self._shares.is_within(owner, size, self._free() + self._bound(owner)):
                self.missed[owner] += 1
            elif not self._joined(record):
                self._append(record, size, owner)

    def tick(self) -> None:
        """Ask a disk that was full again. Close the open batch if it is old enough, unless memory is full: then losses go on
        being joined in it."""
        with self._changed:
            if self.spool:
                self._to_disk(self.spool)
                self.spool.live(self.offset)
            delay_ns = min(SOON_NS, self.limits.delay_ns) if self._open.is_wanted else self.limits.delay_ns
            is_due = self._open.records and time.monotonic_ns() - self._open.since_ns >= delay_ns
            if is_due and (self.strict or self._waiting() < self.limits.memory):
                self._close()
            elif is_due:
                self._open.is_wanted = False  # nobody takes it now

    def has_room(self, owner: SessionId, size: int) -> bool:
        """Whether so much payload more of a session can be kept."""
        with self._changed:
            return self._fits(owner, size)

    def shortage(self) -> str:
        """Why there is so little room."""
        with self._changed:
            disk = self.spool.trouble if self.spool else "nothing is kept on disk"
            return f"{self._waiting() + self._spooled()} bytes wait for a collector{f', and {disk}' if disk else ''}"

    def flush(self) -> None:
        """Close the open batch now."""
        with self._changed:
            if self._open.records:
                self._close()

    def soon(self) -> None:
        """Close the open batch in `SOON_NS`: nobody waits for what is in it, but who is going to ask something will wait for it, too."""
        with self._changed:
            self._open.is_wanted = bool(self._open.records)

    @property
    def is_wanted(self) -> bool:
        """Whether `tick` should come soon."""
        return self._open.is_wanted

    def hurry(self) -> None:
        """Close the open batch now, since somebody waits for what is answered, and see it off: whoever sends it could not run while our
        caller does its other work. The disk has it at the next `tick` or batch."""
        with self._changed:
            if self._open.records:
                self._number_open()
                if self._is_asked:
                    self._changed.wait_for(lambda: self._seen_off >= self._number, SEEING_OFF_S)

    def after(self, number: int, timeout_s: float) -> wire.Batch | None:
        """The first batch with a higher number, waiting that long for one. Who asks has sent those before it."""
        with self._changed:
            if number > self._seen_off:
                self._seen_off = number
                self._changed.notify_all()
            self._is_asked = True
            self._changed.wait_for(lambda: self._number > number, timeout_s)
            self._is_asked = False
            wanted = max(number, self._acknowledged) + 1
            return self._batch(wanted) if wanted <= self._number else None

    def acknowledge(self, number: int) -> None:
        """Forget all batches up to this number."""
        with self._changed:
            number = min(number, self._number)
            for each in range(self._acknowledged + 1, number + 1):
                self._uncache(each)
            while self._unspooled and self._unspooled[0].batch.number <= number:
                self._forget(self._unspooled.popleft())
            if self.spool:
                self._shares.take(self.spool.release(number))
            self._acknowledged = max(self._acknowledged, number)
            self._ages.forget(self._acknowledged, self._number)
            self._changed.notify_all()

    def remember(self, key: bytes) -> None:
        """The public key with which a collector welcomed us."""
        with self._changed:
            if self.spool:
                self.spool.remember(key)

    def cut(self, session: SessionId, goes_on: SessionId, why: str) -> None:
        """A session is to be ended with this, also if we die before."""
        with self._changed:
            if self.spool:
                self.spool.cut(session, goes_on, why)

    def change(self, batch: int, delay_ns: int) -> None:
        """Use the collector's size and age for further batches; 0 leaves one as it is."""
        with self._changed:
            self.limits = replace(
                self.limits, batch=min(batch, BATCH_LIMIT) or self.limits.batch, delay_ns=delay_ns or self.limits.delay_ns
            )

    def wait_empty(self, timeout_s: float) -> bool:
        """Whether everything closed was acknowledged in that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._acknowledged == self._number, timeout_s)

    def unacknowledged(self) -> tuple[int, int]:
        """Batches and bytes that nobody has confirmed."""
        with self._changed:
            return self._number - self._acknowledged, self._held + self._spooled()

    def waiting(self) -> tuple[int, int, float]:
        """Of closed batches that nobody has confirmed: bytes on disk, bytes in memory alone, and how many seconds ago the oldest began,
        at most one too many."""
        with self._changed:
            oldest_ns = self._ages.oldest_ns()
            return self._spooled(), self._held, 0.0 if oldest_ns is None else (time.monotonic_ns() - oldest_ns) / 1e9

    def _waiting(self) -> int:
        """Bytes that wait in memory alone."""
        return self._held + self._open.size

    def _spooled(self) -> int:
        """Bytes that wait on disk."""
        return self.spool.waiting if self.spool else 0

    def _free(self) -> int:
        """Bytes of room in memory and, while the disk takes anything, there."""
        disk = self.spool.limit - self.spool.size if self.spool and not self.spool.trouble else 0
        return self.limits.memory - self._waiting() + max(0, disk)

    def _bound(self, owner: SessionId) -> int:
        """Bytes of memory that a session's payload may fill; its facts as much more."""
        return self.limits.memory * (STRICT if owner in self.strict else 1)

    def _has_room(self, owner: SessionId, size: int) -> bool:
        """Whether payload is kept."""
        return self._waiting() + size <= self._bound(owner) if owner in self.strict else self._fits(owner, size)

    def _fits(self, owner: SessionId, size: int) -> bool:
        """Whether there is memory for it, and it is within its session's share of memory and disk."""
        return self._waiting() + size <= self.limits.memory and self._shares.is_within(owner, size, self._free())

    def _append(self, record: Record, size: int, owner: SessionId) -> None:
        if not self._open.records:
            self._open.since_ns = time.monotonic_ns()
        self._open.records.append(record)
        self._open.size += size
        self._open.parts[owner] += size
        self._shares.add(owner, size)
        if self._open.size >= self.limits.batch:
            self._close()

    def _joined(self, record: Record) -> bool:
        """Make one loss of two that touch, if the newest record is the first of them."""
        last = self._open.records[-1] if self._open.records else None
        if not (isinstance(record, Loss) and isinstance(last, Loss) and _touch(last, record)):
            return False
        self._open.records[-1] = replace(last, size=last.size + record.size)
        return True

    def _close(self) -> None:
        self._number_open()
        if self.spool:
            self._to_disk(self.spool)

    def _number_open(self) -> None:
        done, self._open = self._open, _Open()
        data = pack(done.records)
        self._number += 1
        frame = zstandard.ZstdCompressor(level=1).compress(data)
        batch = wire.Batch(number=self._number, wall_offset_ns=self.offset(), records=frame, size=len(data))
        size = weight(batch)
        parts = {owner: part * size // done.size for owner, part in done.parts.items()}
        self._shares.take(dict(done.parts))
        for owner, part in parts.items():
            self._shares.add(owner, part)
        ended = tuple(record.session for record in done.records if isinstance(record, SessionEnded))
        self._ages.begin(self._number, done.since_ns)
        self._unspooled.append(_Closed(size, parts, batch, ended))
        self._held += size
        if self.spool:
            for record in done.records:
                if isinstance(record, SessionStarted):
                    self.spool.begin(record.session)
        self._changed.notify_all()

    def _to_disk(self, spool: Spool) -> None:
        """What is not on disk yet, in order, as far as the disk takes it."""
        if spool.trouble and time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + RETRY_S
        while self._unspooled and self._is_moved(spool, self._unspooled[0]):
            self._unspooled.popleft()

    def _is_moved(self, spool: Spool, closed: _Closed) -> bool:
        """Whether a batch is on disk now; then memory has it only as long as there is room for what is there twice."""
        if not spool.append(closed.batch, closed.parts):
            return False
        spool.end(closed.ended)
        self._held -= closed.size
        if self._cached + closed.size <= CACHE:
            self._keep(closed.batch)
        return True

    def _batch(self, number: int) -> wire.Batch:
        if self._unspooled and number >= self._unspooled[0].batch.number:
            return self._unspooled[number - self._unspooled[0].batch.number].batch
        if (kept := self._cache.get(number)) is not None:
            return kept
        assert self.spool, "what is not in memory is on disk"
        if (found := self.spool.read(number)) is None:
            self._keep(found := self._in_place_of(number, self.spool.sessions_beside(number)))
        return found

    def _keep(self, batch: wire.Batch) -> None:
        self._cache[batch.number] = batch
        self._cached += weight(batch)

    def _uncache(self, number: int) -> None:
        if (batch := self._cache.pop(number, None)) is not None:
            self._cached -= weight(batch)

    def _in_place_of(self, number: int, sessions: list[SessionId]) -> wire.Batch:
        """What is said instead of a batch that the disk did not keep. Streams that go on show how many bytes it had."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        text = f"batch {number} was damaged on disk: its records, of this session or of one beside it there, are lost"
        data = pack(Note(session, now, "spool", text, complete=False) for session in sessions)
        frame = zstandard.ZstdCompressor(level=1).compress(data)
        return wire.Batch(number=number, wall_offset_ns=self.offset(), records=frame, size=len(data))

    def _forget(self, closed: _Closed) -> None:
        self._shares.take(closed.parts)
        self._held -= closed.size
        if self.spool:
            self.spool.end(closed.ended)


def weight(batch: wire.Batch) -> int:
    """Bytes of memory that a batch is taken for."""
    return len(batch.records) + BATCH_SIZE


def size_of(record: Record) -> int:
    """Bytes of memory that a record is taken for."""
    if isinstance(record, Chunk | Hold | NameAnswer):
        return FACT_SIZE + len(record.data)
    return FACT_SIZE + (sum(map(len, record.argv)) if isinstance(record, ProcessSeen) else 0)


def given_up(chunk: Chunk) -> Loss:
    """What is said instead of payload that there is no memory for."""
    return Loss(chunk.stream, chunk.direction, chunk.position, len(chunk.data), chunk.time, Cause.MEMORY)


def _touch(first: Loss, second: Loss) -> bool:
    same = (first.stream, first.direction, first.cause) == (second.stream, second.direction, second.cause)
    return same and first.position + first.size == second.position
