"""Records of workloads of which it is not known yet whether they are governed: kept here, in order, and sent or dropped unseen.

Bounded: past the limit payload is given up as in the outbox (outbox.py), and so that one workload leaves the others their room
(shares.py); the session then says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chaperone.agent.deliver.outbox import FACT_SIZE, given_up, size_of
from chaperone.agent.deliver.private import Sink
from chaperone.agent.deliver.shares import Shares
from chaperone.agent.workload.processes import now_ns
from chaperone.proto.ids import SessionId
from chaperone.proto.records import (
    NO_SESSION,
    Chunk,
    Hold,
    Note,
    Outcome,
    ProcessEnded,
    ProcessSeen,
    Record,
    SessionEnded,
    SessionStarted,
)

LIMIT = 32 << 20
DROPPED = 4096
PROCESSES = (ProcessSeen, ProcessEnded)


@dataclass(slots=True)
class _Kept:
    """`missed`: facts there was no room for; `has_spoken`: there is more than processes, and what all sessions are told."""

    records: list[Record] = field(default_factory=list)
    size: int = 0
    missed: int = 0
    has_spoken: bool = False


class Undecided:
    """Before an outbox. Sessions that nobody asked to `keep` go through."""

    def __init__(self, outbox: Sink, limit: int = LIMIT) -> None:
        self.outbox, self.limit = outbox, limit
        self._kept: dict[SessionId, _Kept] = {}
        self._dropped: dict[SessionId, None] = {}  # the last ones: of these something may still come
        self._shares = Shares()
        self._size = 0
        self._holds: dict[str, SessionId] = {}  # held calls that wait here with their question

    def keep(self, started: SessionStarted) -> None:
        """What belongs to this session waits from now on."""
        self._shares.owner(started)
        self._kept[started.session] = _Kept()

    def put(self, record: Record) -> Record:
        """Take one record; what became of it."""
        owner = self._owner(record)
        kept = self._kept.get(owner)
        if kept is not None:
            return self._add(owner, kept, record)
        if owner not in self._dropped:
            self.outbox.put(record)
        return record

    def has_spoken(self, session: SessionId) -> bool:
        """Whether anything waits but processes, and notes of what nothing is missing for."""
        kept = self._kept.get(session)
        return kept is not None and kept.has_spoken

    def waiting(self, session: SessionId) -> Sequence[Record]:
        """What waits of it."""
        kept = self._kept.get(session)
        return kept.records if kept else ()

    def begin(self, session: SessionId, first: Iterable[Record]) -> None:
        """It is governed: `first`, then what waited."""
        kept = self._taken(session)
        for record in (*first, *kept.records):
            self.outbox.put(record)
        if kept.missed:
            text = f"{kept.missed} records did not fit into the agent's memory before it was known whose they were"
            self.outbox.put(Note(session, now_ns(), "agent", text, complete=False))
        self.outbox.flush()

    def drop(self, session: SessionId) -> None:
        """It is not governed: nobody sees what waited."""
        self._taken(session)
        self._shares.forget(session)
        self._dropped[session] = None
        if len(self._dropped) > DROPPED:
            del self._dropped[next(iter(self._dropped))]

    def _owner(self, record: Record) -> SessionId:
        """An outcome is whose hold it is about."""
        if isinstance(record, Outcome):
            return self._holds.pop(record.hold, NO_SESSION)
        owner = self._shares.owner(record)
        if isinstance(record, Hold) and owner in self._kept:
            self._holds[record.hold] = owner
        return owner

    def _add(self, owner: SessionId, kept: _Kept, record: Record) -> Record:
        size, free = size_of(record), self.limit - self._size
        if isinstance(record, Chunk) and not self._shares.is_within(owner, size, free):
            record, size = given_up(record), FACT_SIZE
        if not self._shares.is_within(owner, size, free + self.limit):
            kept.missed += 1
            return record
        kept.records.append(record)
        kept.has_spoken |= not (isinstance(record, PROCESSES) or (isinstance(record, Note) and record.complete))
        kept.size, self._size = kept.size + size, self._size + size
        self._shares.add(owner, size)
        return record

    def _taken(self, session: SessionId) -> _Kept:
        kept = self._kept.pop(session, None) or _Kept()
        self._size -= kept.size
        self._shares.take({session: kept.size})
        self._shares.owner(SessionEnded(session, 0))
        return kept
