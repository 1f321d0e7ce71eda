"""What a restarted collector must know of sessions that go on: their documents, their processes' and open streams'.

An agent says again what was not acknowledged; of that some things may already be stored to their end (the rows of one write
are there together). They are among those that ended lately (store/arrivals.py): such streams are not taken twice, such
processes and sessions are still known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.store.arrivals import lately
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.summary import merged
from chaperone.proto.ids import StreamId

KNOWN = "known/"  # what the marks of sessions begin with
NAMES = "names/"  # what the mark of the names that a session knows begins with
BROUGHT = "policies/"  # what the mark of a session's own policies begins with

LATELY = "arrived + {rows:UInt64} > (SELECT max(arrived) FROM records)"
_ITS = "({boot:String} = '' OR boot = {boot:String})"
OPEN = (
    f"SELECT session FROM records WHERE kind = 'session' AND {_ITS} GROUP BY session HAVING max(phase) < 4 OR max({LATELY})"
    " ORDER BY session"
)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that goes on, or ended lately, in documents."""

    session: dict[str, Any]
    processes: list[dict[str, Any]]
    streams: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Past:
    """`marks`: states of open streams by id. `over`: streams that ended lately. `known`: secrets seen, by KNOWN session/segment.
    `brought`: texts of sessions' own policies, by BROUGHT session. `names`: of hosts, by NAMES session."""

    sessions: list[OpenSession] = field(default_factory=list)
    marks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    over: frozenset[StreamId] = frozenset()
    known: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    brought: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    names: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def past(engine: Engine, marks: Marks, boot: str = "") -> Past:
    """All of it, or that of one boot of a node."""
    sessions = open_sessions(engine, lately(engine), boot)
    streams = [stream["id"] for session in sessions for stream in session.streams]
    over = frozenset(map(StreamId, _over(engine, "stream", lately(engine), boot)))
    owners = [session.session["id"] for session in sessions] if boot else [""]
    known, brought, names = (_starting(marks, prefix, owners) for prefix in (KNOWN, BROUGHT, NAMES))
    return Past(sessions, marks.of(streams), over, known, brought, names)


def open_sessions(engine: Engine, reach: int = 0, boot: str = "") -> list[OpenSession]:
    """Every session that has not ended, or only within the last `reach` arrivals; of it the same processes, and open streams."""
    ended = _over(engine, "process", reach, boot)
    return [_open_session(engine, row["session"], ended) for row in engine.rows(OPEN, {"rows": reach, "boot": boot})]


def _starting(marks: Marks, prefix: str, owners: list[str]) -> dict[str, bytes]:
    return {name: state for owner in owners for name, state in marks.starting(f"{prefix}{owner}").items()}


def _over(engine: Engine, kind: str, reach: int, boot: str) -> set[str]:
    statement = f"SELECT id FROM records WHERE kind = {{kind:String}} AND phase = 4 AND {_ITS} AND {LATELY}"
    return {row["id"] for row in engine.rows(statement, {"kind": kind, "rows": reach, "boot": boot})}


def _open_session(engine: Engine, session: str, ended: set[str]) -> OpenSession:
    return OpenSession(
        {"id": session} | merged(engine, session, ["session"])[0],
        [process for process in merged(engine, session, ["process"]) if "ended" not in process or process["id"] in ended],
        [stream for stream in merged(engine, session, ["stream"]) if "ended" not in stream],
    )
