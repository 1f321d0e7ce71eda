"""What a restarted collector must know of sessions that go on: their documents, their processes' and open streams'."""

from dataclasses import dataclass
from typing import Any

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.summary import merged

_OPEN = "SELECT session FROM records WHERE kind = 'session' GROUP BY session HAVING max(phase) < 4 ORDER BY session"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session without an end, in documents."""

    session: dict[str, Any]
    processes: list[dict[str, Any]]
    streams: list[dict[str, Any]]


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
