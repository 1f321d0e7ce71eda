"""What a restarted collector must know of sessions that go on: their documents, their processes' and open streams'.

An agent says again what was not acknowledged; of that some things may already be stored to their end (the rows of one write
are there together). They are among those that ended lately (store/arrivals.py): such streams are not taken twice, such
processes and sessions are still known.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.store.arrivals import lately
from chaperone.collector.store.bodies import with_bodies
from chaperone.collector.store.clock import STEADY, clocks
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.summary import merged
from chaperone.proto.ids import StreamId

KNOWN = "known/"  # what the marks of sessions begin with
NAMES = "names/"  # what the mark of the names that a session knows begins with
BROUGHT = "policies/"  # what the mark of a session's own policies begins with

_LATELY = "arrived + {rows:UInt64} > (SELECT max(arrived) FROM records)"
_OPEN = f"SELECT session FROM records WHERE kind = 'session' GROUP BY session HAVING max(phase) < 4 OR max({_LATELY}) ORDER BY session"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that goes on, or ended lately, in documents."""

    session: dict[str, Any]
    processes: list[dict[str, Any]]
    streams: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Docket:
    """What judging goes on from. `sittings`: of late, and all that rules still remember, in order; `calls`: documents of open calls."""

    sittings: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)


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


def past(engine: Engine, marks: Marks) -> Past:
    """All of it."""
    sessions = open_sessions(engine, lately(engine))
    streams = [stream["id"] for session in sessions for stream in session.streams]
    over = frozenset(map(StreamId, _over(engine, "stream", lately(engine))))
    return Past(sessions, marks.of(streams), over, *map(marks.starting, (KNOWN, BROUGHT, NAMES)))


def docket(engine: Engine, horizon_ns: int) -> Docket:
    """What was judged of late, and the calls that may be judged further. `horizon_ns`: how long the longest rule remembers."""
    recent = f"({_LATELY} OR {STEADY} >= (SELECT max({STEADY}) FROM records WHERE kind = 'judged') - {{horizon:Int64}})"
    statement = f"SELECT document FROM records WHERE kind = 'judged' AND {recent} ORDER BY arrived LIMIT 1 BY session, id"
    rows = engine.rows(statement, {"rows": lately(engine), "horizon": horizon_ns, **clocks(engine)})
    open_ = f"SELECT session FROM ({_OPEN})"
    newest = f"SELECT document, phase FROM records WHERE kind = 'call' AND session IN ({open_}) ORDER BY {_NEWEST} LIMIT 1 BY session, id"
    calls = engine.rows(f"SELECT document FROM ({newest}) WHERE phase < 4", {"rows": lately(engine)})
    documents = [json.loads(row["document"]) for row in calls]
    return Docket([json.loads(row["document"]) for row in rows], with_bodies(engine, documents))


_NEWEST = "session, id, phase DESC, position DESC"


def open_sessions(engine: Engine, reach: int = 0) -> list[OpenSession]:
    """Every session that has not ended, or only within the last `reach` arrivals; of it the same processes, and open streams."""
    ended = _over(engine, "process", reach)
    return [_open_session(engine, row["session"], ended) for row in engine.rows(_OPEN, {"rows": reach})]


def _over(engine: Engine, kind: str, reach: int) -> set[str]:
    statement = f"SELECT id FROM records WHERE kind = {{kind:String}} AND phase = 4 AND {_LATELY}"
    return {row["id"] for row in engine.rows(statement, {"kind": kind, "rows": reach})}


def _open_session(engine: Engine, session: str, ended: set[str]) -> OpenSession:
    return OpenSession(
        {"id": session} | merged(engine, session, ["session"])[0],
        [process for process in merged(engine, session, ["process"]) if "ended" not in process or process["id"] in ended],
        [stream for stream in merged(engine, session, ["stream"]) if "ended" not in stream],
    )
