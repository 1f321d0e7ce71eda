"""How each workload is governed in fact, and why that is not what its policies wish.

Wished is what rules say; in force is what the agent does: it may be gone, not have been told to hold, be unable to trace, or decide by
itself since verdicts come late. Known from what agents said since this collector began; used by the pipeline's thread, read by any.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from chaperone.collector.rules.terms import OnFailure, Terms
from chaperone.collector.store.recall import Past
from chaperone.proto.records import (
    SHUT,
    BreakGlass,
    Chunk,
    Connection,
    Hold,
    Note,
    Outcome,
    Record,
    SessionEnded,
    SessionStarted,
    StreamOpened,
)

KEPT = 10_000  # sessions
LATELY = 64  # outcomes of a session
LATE = 3  # so many verdicts one after another that came too late: then the agent decides by itself
TIMEOUTS = "timeout-"
NOT_DONE = "cannot be done"  # of an order that the agent could not carry out
SUBJECTS = ("enforcement", "hold", "gate", "record: strict")  # of notes that say what an agent could not do
TOLD = 3  # of its notes


class Effective(StrEnum):
    """What happens to a held request, or would. NOTHING: nobody records or decides."""

    ENFORCE = "enforce"
    RECORD = "record"
    ALLOW = "allow"
    DENY = "deny"
    NOTHING = "nothing"


class Wishes(Protocol):
    """The judge."""

    def terms(self, session: str) -> Terms:
        """How a session is governed."""
        ...

    def is_acting(self, session: str) -> bool:
        """Whether any of its rules has an effect."""
        ...


@dataclass(slots=True)
class _Seen:
    agent: str
    streams: int = 0  # that were opened while rules acted
    holds: int = 0
    late: int = 0
    troubles: Counter[str] = field(default_factory=Counter)  # what the agent says of calls that it could not hold or carry orders out on
    lately: deque[bool] = field(default_factory=lambda: deque(maxlen=LATELY))  # of outcomes: whether they came in time
    unread: dict[str, str] = field(default_factory=dict)  # connection → TLS stack
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD))


class Modes:
    """`hears`: whether an agent is connected now."""

    def __init__(self, wishes: Wishes, hears: Callable[[str], bool]) -> None:
        self._wishes, self._hears, self._lock = wishes, hears, threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._streams: dict[str, str] = {}
        self._holds: dict[str, str] = {}
        self._broken: dict[str, BreakGlass] = {}  # by agent: nothing is enforced on its node

    def recall(self, past: Past) -> None:
        """Whose the streams are that go on from an earlier collector; their agents are known once they are heard."""
        self._streams.update((stream["id"], found.session["id"]) for found in past.sessions for stream in found.streams)

    def take(self, record: Record, agent: str) -> None:
        """What an agent said."""
        if isinstance(record, Chunk):
            return
        with self._lock:
            if isinstance(record, BreakGlass):
                self._broken.pop(agent, None) if record.ended else self._broken.update({agent: record})
            else:
                self._take(record, agent)

    def _take(self, record: Record, agent: str) -> None:
        match record:
            case SessionStarted():
                self._of(record.session, agent)
            case SessionEnded():
                self._forget(record.session)
            case StreamOpened():
                self._streams[record.stream] = record.session
                self._of(record.session, agent).streams += self._wishes.is_acting(record.session)
            case Hold() if session := self._streams.get(record.stream):
                self._holds[record.hold] = session
                self._of(session, agent).holds += 1
            case Outcome() if session := self._holds.pop(record.hold, ""):
                self._outcome(self._of(session, agent), record)
            case Connection() if record.unread:
                self._of(record.session, agent).unread[record.connection] = record.unread
            case Note() if record.subject in SUBJECTS and record.session:
                self._of(record.session, agent).notes.append(record.text)

    def is_broken(self, session: str, stream: str = "") -> bool:
        """Whether nothing is enforced where this session is, or the stream's: an agent has said so, and not that it is over."""
        with self._lock:
            seen = self._seen.get(session or self._streams.get(stream, ""))
            return seen is not None and seen.agent in self._broken

    def of(self, session: str) -> dict[str, Any]:
        """{session, wished, effective, why}: `why` is a list of sentences, empty where all is as wished."""
        wished = Effective.ENFORCE if self._wishes.is_acting(session) else Effective.RECORD
        with self._lock:
            effective, why = self._effective(self._seen.get(session), wished, self._wishes.terms(session))
        return {"session": session, "wished": str(wished), "effective": str(effective), "why": why}

    def _effective(self, seen: _Seen | None, wished: Effective, terms: Terms) -> tuple[Effective, list[str]]:
        if seen is None:
            return Effective.NOTHING, ["its agent has not been heard since this collector began"]
        why = _unread(seen, terms) + list(seen.notes)
        if not self._hears(seen.agent):
            return Effective.NOTHING, ["its agent is not connected: what it holds it decides by onFailure", *why]
        if wished is Effective.RECORD:
            return Effective.RECORD, why
        if broken := self._broken.get(seen.agent):
            return Effective.RECORD, [f"the glass was broken on node {broken.node} by {broken.who}: {broken.why}", *why]
        if seen.streams and not seen.holds:
            return Effective.RECORD, ["its agent holds nothing: it was not told to, or cannot", *why]
        if not seen.holds:
            return Effective.ENFORCE, ["nothing was held yet", *why]
        return _deciding(seen, terms, why)

    def _outcome(self, seen: _Seen, outcome: Outcome) -> None:
        is_own = outcome.order.startswith(TIMEOUTS)
        seen.lately.append(not is_own)
        is_reason = is_own and not outcome.result.startswith(SHUT)
        if outcome.result and (is_reason or NOT_DONE in outcome.result):
            seen.troubles[outcome.result] += 1
        else:
            seen.late += is_own

    def _of(self, session: str, agent: str) -> _Seen:
        found = self._seen.get(session)
        if found is None:
            found = self._seen[session] = _Seen(agent)
            while len(self._seen) > KEPT:
                self._forget(next(iter(self._seen)))
        found.agent = agent
        return found

    def _forget(self, session: str) -> None:
        self._seen.pop(session, None)
        self._streams = {stream: of for stream, of in self._streams.items() if of != session}
        self._holds = {hold: of for hold, of in self._holds.items() if of != session}


def _deciding(seen: _Seen, terms: Terms, why: list[str]) -> tuple[Effective, list[str]]:
    """Who decides now: rules, or the agent by itself."""
    why = [f"{_times(count)}: {text} (onFailure: {terms.on_failure})" for text, count in seen.troubles.most_common(TOLD)] + why
    if seen.late:
        why = [f"{seen.late} verdict{'s' if seen.late > 1 else ''} came too late: decided by onFailure ({terms.on_failure})", *why]
    if len(seen.lately) < LATE or any(list(seen.lately)[-LATE:]):
        return Effective.ENFORCE, why
    by_itself = Effective.ALLOW if terms.on_failure is OnFailure.ALLOW else Effective.DENY
    return by_itself, [*why, "the last calls were all decided by the agent itself, which asks only once a second then"]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _unread(seen: _Seen, terms: Terms) -> list[str]:
    if not seen.unread:
        return []
    stacks = ", ".join(sorted(set(seen.unread.values())))
    count = len(seen.unread)
    return [f"{count} connection{'s are' if count > 1 else ' is'} not read ({stacks}): uncovered says {terms.uncovered}"]
