"""All that happened in a session, in order: the question "replay".

A moment is {at, kind, document}. `kind` is "session", "process", "stream", "call" (when its request was there), "answer" (the same call
when it was answered or over), "piece", "exchange", "verdict", "approval", "kill", "loss", "gap", "note", "leak", "exit" (a process ended)
or "end" (the session). `at` is the steady time (store/clock.py); each version of a thing has its own offset between the two.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.store.clock import SHIFT, clocks
from chaperone.collector.store.engine import Engine
from chaperone.collector.times import rfc3339, time_ns

KINDS = ("session", "process", "stream", "call", "piece", "exchange", "verdict", "approval", "kill", "loss", "gap", "note", "leak")
_ENDS = {"session": "end", "process": "exit", "call": "answer"}
_TIMES = ("time", "answered", "ended")
_VERSIONS = (
    f"SELECT kind, id, position, document, {SHIFT} AS shift FROM records"
    " WHERE session = {session:String} AND kind IN {kinds:Array(String)} ORDER BY kind, id, phase, position"
)


@dataclass(slots=True)
class _Thing:
    """Its versions, laid over one another; `times`: steady ones of what its document has; `place`: among those of the same time."""

    kind: str
    place: tuple[int, int, int, str]
    document: dict[str, Any] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def add(self, version: dict[str, Any], shift: int) -> None:
        """A later version."""
        self.document.update(version)
        for name in _TIMES:
            if text := version.get(name):
                self.times[name] = time_ns(text) + shift
            elif name in version:
                self.times.pop(name, None)


def moments(engine: Engine, session: str) -> list[dict[str, Any]]:
    """Of one session, in order of time."""
    things = _things(engine, session)
    calls = {id_ for (kind, id_) in things if kind == "call"}
    shown = [thing for (kind, id_), thing in things.items() if kind != "exchange" or id_ not in calls]
    found = sorted((moment for thing in shown for moment in _moments(thing)), key=lambda moment: (moment[0], moment[2].place))
    return [{"at": rfc3339(at) if at else "", "kind": kind, "document": thing.document} for at, kind, thing in found]


def _things(engine: Engine, session: str) -> dict[tuple[str, str], _Thing]:
    things: dict[tuple[str, str], _Thing] = {}
    for row in engine.rows(_VERSIONS, {"session": session, "kinds": list(KINDS), **clocks(engine)}):
        kind, id_ = row["kind"], row["id"]
        thing = things.setdefault((kind, id_), _Thing(kind, (KINDS.index(kind), row["position"], len(id_), id_)))
        thing.add(json.loads(row["document"]), row["shift"])
    return things


def _moments(thing: _Thing) -> Iterator[tuple[int, str, _Thing]]:
    times = thing.times
    yield times.get("time") or times.get("ended") or 0, thing.kind, thing
    end = (times.get("answered") if thing.kind == "call" else None) or times.get("ended")
    if end and thing.kind in _ENDS:
        yield end, _ENDS[thing.kind], thing
