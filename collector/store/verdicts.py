"""Rows of judging: a verdict, and what was judged in which order.

A verdict is known by its rule and what it is about, so it lands on itself. Of what was judged there is one row for a batch and session:

| key | value |
| --- | --- |
| session scope rules | ids; `scope`: whose memory was used; `rules`: digest of the rules in force |
| events | [[subject, key, moment, wall-clock ns, lookup], …]: what was judged, in order |
| memory | what rules remember since (rules/changes.py) |

A verdict: {id, session, time, rule, policy, rules, action, enforce, effective, notCarriedOut, severity, mitre, message, moment, subject,
key, call, stream, process {id, pid, exe, argv}, about, words, unknown}. `effective`: how serious it is under the policy's mode.
`notCarriedOut`: why the action has no effect, "" when somebody has carried it out or will.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from chaperone.collector.rules.event import CONNECTIONS, Document, Event, Subject
from chaperone.collector.rules.verdict import Verdict
from chaperone.collector.store.facts import BEGUN, OVER
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339

Judgement = tuple[str, str, int, int, Document]  # subject, key, moment, wall-clock ns, what was looked up


@dataclass(frozen=True, slots=True)
class Sitting:
    """Consecutive events of one session, judged by one set of rules."""

    session: str
    scope: str
    rules: str
    events: tuple[Judgement, ...]
    memory: tuple[list[Any], ...] = ()


def judgement(event: Event, time_ns: int) -> Judgement:
    """How an event is named in a sitting."""
    return str(event.subject), event.key, int(event.moment), time_ns, event.lookup


def sitting_row(sitting: Sitting) -> Row:
    """What was judged. An event is judged once, so the first names the row."""
    document = {
        "session": sitting.session,
        "scope": sitting.scope,
        "rules": sitting.rules,
        "events": [list(event) for event in sitting.events],
        "memory": list(sitting.memory),
    }
    first, time = sitting.events[0], max(event[3] for event in sitting.events)
    return Row(Kind.JUDGED, sitting.session, _digest("sitting", *map(str, first[:3])), BEGUN, 0, time, document)


def verdict_row(verdict: Verdict, event: Event, time_ns: int, rules: str, not_carried_out: str) -> Row:
    """A verdict."""
    about, evidence = event.document, verdict.evidence
    id_ = _digest("verdict", event.subject, event.key, str(int(event.moment)), verdict.policy, verdict.rule)
    call = call_of(event)
    session, stream = str(about.get("session", "")), str(about.get("stream", ""))
    document = {
        "id": id_,
        "session": session,
        "time": rfc3339(time_ns),
        "rule": verdict.rule,
        "policy": verdict.policy,
        "rules": rules,
        "action": str(verdict.action),
        "enforce": str(verdict.enforce),
        "effective": str(verdict.effective),
        "notCarriedOut": not_carried_out,
        "severity": str(verdict.severity),
        "mitre": list(verdict.mitre),
        "message": verdict.message,
        "moment": verdict.moment.name.lower(),
        "subject": str(event.subject),
        "key": event.key,
        "call": call,
        "stream": stream,
        "process": about.get("process", {}),
        "about": about_of(event),
        "words": dict(evidence.words),
        "unknown": list(evidence.unknown),
    }
    process = str((about.get("process") or {}).get("id", ""))
    return Row(Kind.VERDICT, session, id_, OVER, 0, time_ns, document, stream, process, call)


def call_of(event: Event) -> str:
    """The call it is about: of a secret that left the one that it left in; "" for none."""
    if event.subject is Subject.SECRET:
        return str(event.document["call"])
    return "" if event.subject in CONNECTIONS else str(event.document["id"])


def about_of(event: Event) -> dict[str, str]:
    """What it is about, in a few words: a call's verb and object, or where an egress goes to."""
    if event.subject in CONNECTIONS:
        return {"host": str(event.document.get("authority", ""))}
    if event.subject is Subject.SECRET:
        return {"host": str(event.document["host"])}
    names = ("verb", "resource", "subresource", "namespace", "name", "apiGroup", "requestURI")
    return {name: str(event.document.get(name, "")) for name in names}


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).hexdigest()
