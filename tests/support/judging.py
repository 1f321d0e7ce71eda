"""A pipeline with a judge, and a session judged again from its rows as the store would give them back."""

from collections.abc import Iterable, Sequence
from typing import Any

from support.policies import rules

from chaperone.collector.cli.past import event_again
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.pipeline.performer import Performer
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import Rules, ruleset
from chaperone.collector.store.docket import Docket, Remembered
from chaperone.collector.store.recall import OpenSession, Past
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.records import Record

OFFSET = 1_700_000_000_000_000_000
KEY = b"k" * 32
Said = tuple[str, str, int, str, str]  # policy, rule, moment, what about, when


def judged_pipeline(policy: str | Rules, performers: Sequence[Performer] = ()) -> tuple[JudgedPipeline, list[Row]]:
    """A pipeline that judges by this policy, and where its rows go."""
    rows: list[Row] = []
    arranged = policy if isinstance(policy, Rules) else ruleset(rules(policy))
    judge = Judge(arranged, rows, Masker(KEY).text, performers)
    return JudgedPipeline(Pipeline(lambda: Masker(KEY), judge), judge), rows


def taken(pipeline: JudgedPipeline, batches: Iterable[Iterable[Record]]) -> None:
    """Batches, each judged at its end."""
    for batch in batches:
        for record in batch:
            pipeline.take(record, OFFSET)
        pipeline.marks()


def said(rows: Iterable[Row]) -> list[Said]:
    """The verdicts among rows, each once."""
    moments = {"request": 1, "response": 2, "channel": 3, "end": 4}
    found = {row.id: row.document for row in rows if row.kind is Kind.VERDICT}
    return [(one["policy"], one["rule"], moments[one["moment"]], one["key"], one["time"]) for one in found.values()]


def newest(rows: Iterable[Row]) -> dict[str, Row]:
    """The latest version of everything, by id, calls before the exchanges they were."""
    found: dict[str, Row] = {}
    for row in rows:
        old = found.get(row.id)
        if old is None or (row.kind is Kind.CALL, row.phase, row.position) >= (old.kind is Kind.CALL, old.phase, old.position):
            found[row.id] = row
    return found


def again(rows: list[Row], session: dict[str, Any], arranged: Rules) -> list[Said]:
    """What the same rules say of the stored session."""
    memory, found = Memory(), list[Said]()
    for event in events_again(rows, session):
        verdicts, memory = evaluate(arranged.likely(event), memory, event)
        found += [(one.policy, one.rule, int(one.moment), event.key, one.evidence.time) for one in verdicts]
    return found


def events_again(rows: list[Row], session: dict[str, Any]) -> list[Event]:
    """The events in the order of their judging."""
    latest = newest(row for row in rows if row.kind in (Kind.CALL, Kind.EXCHANGE, Kind.PIECE, Kind.CONNECTION))
    documents = {id_: row.document for id_, row in latest.items()}
    found = []
    for row in rows:
        if row.kind is Kind.JUDGED:
            for subject, key, moment, time, lookup in row.document["events"]:
                call = latest[key].call if key in latest and latest[key].kind is Kind.PIECE else ""
                named = {"subject": subject, "key": key, "moment": moment, "time": time, "lookup": lookup, "call": call}
                found.append(event_again(named, documents, session))
    return [event for event in found if event is not None]


def recalled(rows: list[Row]) -> tuple[Past, Docket]:
    """What a restarted collector finds of these rows."""
    latest = newest(rows)
    sessions = [row.document for row in rows if row.kind is Kind.SESSION and "ended" not in row.document]
    processes = [row.document for row in latest.values() if row.kind is Kind.PROCESS and "ended" not in row.document]
    streams = [row.document for row in rows if row.kind is Kind.STREAM and "handle" in row.document]
    calls = [row.document for row in latest.values() if row.kind is Kind.CALL and row.phase < 4]
    past = Past([OpenSession(session, processes, streams) for session in sessions])
    sittings = [row.document for row in rows if row.kind is Kind.JUDGED]
    done = [(one["session"], *event[:3]) for one in sittings for event in one["events"]]
    return past, Docket(done, [Remembered(one["session"], one["scope"], one["memory"]) for one in sittings], calls)
