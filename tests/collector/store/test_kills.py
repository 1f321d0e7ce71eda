"""What a kill may be about, from a real store."""

import time
from typing import Any

import pytest
from support import documents as d

from chaperone.collector.enforce.kills import Kill, Stage
from chaperone.collector.parameters import QuestionError
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.kills import kill_row, living
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.store.timeline import moments
from chaperone.collector.store.writer import Writer

NOW = time.time_ns()


def put(engine: Engine, kind: Kind, id_: str, phase: int = 1, **more: Any) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    writer.append(Row(kind, d.SESSION, id_, phase, phase, NOW, {"id": id_, "time": "2026-01-02T03:04:05.000000000Z", **more}))
    writer.flush()


def test_what_goes_on_is_found_by_the_beginning_of_its_id(engine: Engine) -> None:
    put(engine, Kind.PROCESS, "ab" * 16)
    put(engine, Kind.CONNECTION, "cd" * 16)
    put(engine, Kind.STREAM, "ef" * 16)
    put(engine, Kind.SESSION, d.SESSION)
    assert living(engine, Ends.PROCESS, "ABAB") == ("ab" * 16, d.SESSION)
    assert living(engine, Ends.CONNECTION, "cd")[0] == "cd" * 16 and living(engine, Ends.CONNECTION, "ef")[0] == "ef" * 16
    assert living(engine, Ends.SESSION, d.SESSION[:5]) == (d.SESSION, d.SESSION)


def test_what_is_over_or_not_one_is_not_found(engine: Engine) -> None:
    put(engine, Kind.PROCESS, "ab" * 16)
    put(engine, Kind.PROCESS, "ab" * 16, 4, ended="2026-01-02T03:04:06.000000000Z")
    put(engine, Kind.PROCESS, "cd" * 16)
    put(engine, Kind.PROCESS, "ce" * 16)
    for prefix, problem in (("ab", "no process that goes on"), ("c", "more than one process"), ("zz", "an id")):
        with pytest.raises(QuestionError, match=problem):
            living(engine, Ends.PROCESS, prefix)


def test_a_kill_is_among_what_happened_as_it_ended(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for stage in (Stage.ASKED, Stage.ENDED):
        kill = Kill("kill-1", Ends.PROCESS, "ab" * 16, d.SESSION, "unix:root", "socket", "it scans", NOW, stage)
        writer.append(kill_row(kill.document()))
    writer.flush()
    [moment] = moments(engine, d.SESSION)
    assert (moment["kind"], moment["document"]["stage"], moment["document"]["why"]) == ("kill", "ended", "it scans")
