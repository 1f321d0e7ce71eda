"""What a restarted collector must know of sessions that go on: their documents, their processes' and open streams'.

An agent says again what was not acknowledged; of that some streams may already be stored to their end (the rows of one write
are there together). Those are among the streams that ended within the last REPLAYED rows, and are not taken twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.summary import merged
from chaperone.proto.ids import StreamId

REPLAYED = 50_000
_OVER = "SELECT id FROM records WHERE kind = 'stream' AND phase = 4 AND arrived + {rows:UInt64} > (SELECT max(arrived) FROM records)"

_OPEN = "SELECT session FROM records WHERE kind = 'session' GROUP BY session HAVING max(phase) < 4 ORDER BY session"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session without an end, in documents."""

    session: dict[str, Any]
    processes: list[dict[str, Any]]
    streams: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Past:
    """`marks`: states of open streams by id. `over`: streams that ended lately."""

    sessions: list[OpenSession] = field(default_factory=list)
    marks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    over: frozenset[StreamId] = frozenset()


def past(engine: Engine, marks: Marks) -> Past:
    """All of it."""
    sessions = open_sessions(engine)
    streams = [stream["id"] for session in sessions for stream in session.streams]
    over = frozenset(StreamId(row["id"]) for row in engine.rows(_OVER, {"rows": REPLAYED}))
    return Past(sessions, marks.of(streams), over)


def open_sessions(engine: Engine) -> list[OpenSession]:
    """Every session that has not ended."""
    return [_open_session(engine, row["session"]) for row in engine.rows(_OPEN)]


def _open_session(engine: Engine, session: str) -> OpenSession:
    documents = merged(engine, session, ["session"])
    return OpenSession(
        documents[0],
        [process for process in merged(engine, session, ["process"]) if "ended" not in process],
        [stream for stream in merged(engine, session, ["stream"]) if "ended" not in stream],
    )
