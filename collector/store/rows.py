"""The rows of the records table as values: what the pipeline makes and a sink takes.

A row is append-only and keyed (kind, session, id, phase, position); the same facts make the same row, so one that is
repeated lands on itself. The latest version (phase, position) of an id is what a view shows.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Kind(StrEnum):
    """What a row is about; `document` is described where it is made (store/document.py)."""

    SESSION = "session"
    PROCESS = "process"
    STREAM = "stream"
    CALL = "call"
    PIECE = "piece"  # what a streaming call brought: a watch event, log text, a chunk of a channel
    EXCHANGE = "exchange"  # not Kubernetes: host, method, path and sizes only
    LOSS = "loss"  # bytes that are missing
    GAP = "gap"  # bytes that could not be read, or reading that went on behind a hole
    CONNECTION = "connection"
    NOTE = "note"
    LEAK = "leak"  # a secret that was read and sent on: store/leak.py
    HOLD = "hold"
    OUTCOME = "outcome"
    VERDICT = "verdict"  # what a rule said (store/verdicts.py)
    ACCESS = "access"  # that somebody asked for a recording (store/access.py)
    GLASS = "glass"  # that for a while nothing is enforced on a node (store/glass.py)
    POLICY = "policy"  # a change of what judges (store/policies.py)
    HEIR = "heir"  # what a governed workload made, whose pods are governed as it is (store/heirs.py)
    KILL = "kill"  # that somebody, or a rule, ended something (store/kills.py)
    APPROVAL = "approval"  # a request that waits for people (store/approvals.py)
    JUDGED = "judged"  # what was judged, in which order, and what rules remember since


@dataclass(frozen=True, slots=True)
class Clock:
    """Whose boot clock (a kernel's boot id), and by how many ns the wall clock was ahead of it at boot time `at`."""

    boot: str = ""
    offset: int = 0
    at: int = 0


WALL = Clock()  # what no agent said: its boot time is the wall clock


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one record. `time`: wall-clock ns, by `clock`. `call`: the call a piece belongs to. All masked."""

    kind: Kind
    session: str
    id: str
    phase: int
    position: int
    time: int
    document: dict[str, Any] = field(repr=False)
    stream: str = ""
    process: str = ""
    call: str = ""
    clock: Clock = WALL

    @property
    def boot_time(self) -> int:
        """In ns of the boot clock."""
        return self.time - self.clock.offset


class Sink(Protocol):
    """Takes rows in the order they were made: a list, or what gathers them for the store."""

    def append(self, row: Row, /) -> None:
        """Take one row."""
        ...
