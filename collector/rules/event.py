"""What is judged: a call, a piece of one, or an exchange with somebody else, as the documents that the store keeps.

Documents (store/document.py) are made of masked values only. They are used instead of MaskedCall so that a session read
back from the store is judged by the very same values as it was live.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from chaperone.collector.rules.verdict import Moment

Document = Mapping[str, Any]
_TIMES = {Moment.REQUEST: ("requested", "time"), Moment.RESPONSE: ("answered", "ended", "time"), Moment.END: ("ended", "answered", "time")}
_REACHED = {"open": 0, "request": 1, "response": 2, "stream": 2, "end": 4}


class Subject(StrEnum):
    """What an event is about."""

    CALL = "call"
    CHANNEL = "channel"
    EGRESS = "egress"
    SECRET = "secret"
    TLS = "tls"


CONNECTIONS = frozenset({Subject.EGRESS, Subject.TLS})  # what is about a connection and no call


@dataclass(frozen=True, slots=True)
class Event:
    """`document`: the call, exchange or connection; `piece`: with CHANNEL, what it brought; `session`: the session's document.

    `lookup`: what the pipeline knew besides when it was judged: of a call its `target` (content.pod_facts), of a connection its `process`
    `authority` and `names`. `key` names the thing within its subject: together with `moment` it is judged once.
    """

    subject: Subject
    moment: Moment
    time: str
    document: Document = field(repr=False)
    piece: Document = field(default_factory=dict, repr=False)
    session: Document = field(default_factory=dict, repr=False)
    lookup: Document = field(default_factory=dict, repr=False)

    def with_lookup(self, lookup: Document) -> "Event":
        """The same, with what was looked up."""
        return replace(self, lookup=lookup)

    @property
    def key(self) -> str:
        """Id of the call, exchange or connection; of a piece that of its row."""
        return str(self.piece.get("id") or self.document["id"])


def call_events(document: Document, session: Document, after: int = 0) -> Iterator[Event]:
    """A call's moments that were reached, behind moment number `after`."""
    for moment, time in moments_of(document):
        if moment > after:
            yield Event(Subject.CALL, moment, time, document, session=session)


def moments_of(document: Document) -> Iterator[tuple[Moment, str]]:
    """The moments that a call has reached, and when."""
    last = reached(document)
    for moment, names in _TIMES.items():
        if moment <= last:
            yield moment, _first(document, names)


def piece_event(piece: Document, call: Document, session: Document) -> Event:
    """A piece of a call."""
    return Event(Subject.CHANNEL, Moment.CHANNEL, str(piece["time"]), call, piece, session)


def egress_event(document: Document, session: Document) -> Event:
    """An exchange that is not Kubernetes: known with its request."""
    return Event(Subject.EGRESS, Moment.REQUEST, str(document["time"]), document, session=session)


def connection_event(connection: Document, session: Document, lookup: Document) -> Event:
    """A connection to somebody else; `lookup` has {process, authority, names}."""
    whole = {**connection, "stream": "", **lookup}
    return Event(Subject.EGRESS, Moment.REQUEST, str(connection["time"]), whole, session=session, lookup=lookup)


def unread_event(connection: Document, session: Document, lookup: Document) -> Event:
    """A connection whose TLS nobody reads; `lookup` has {process, authority, names, apiserver (None: that is not known)}."""
    whole = {**connection, "stream": "", **lookup}
    return Event(Subject.TLS, Moment.REQUEST, str(connection["unreadSince"]), whole, session=session, lookup=lookup)


def leak_event(document: Document, session: Document) -> Event:
    """A secret that left."""
    return Event(Subject.SECRET, Moment.REQUEST, str(document["time"]), document, session=session)


def command_line(process: Document) -> str:
    """As one would type it; an ellipsis where more of it is not known."""
    return shlex.join(map(str, process.get("argv") or ())) + (" …" if process.get("argvCut") else "")


def in_order(events: Iterable[Event]) -> list[Event]:
    """As they happened."""
    return sorted(events, key=lambda event: (event.time, event.moment))


def reached(document: Document) -> int:
    """The number of the last moment a call's document knows. An answer that came before the whole request waits for it: what a
    rule reads must never change."""
    far = _REACHED[document["phase"]]
    return far if far == Moment.END or document.get("requested") else 0


def _first(document: Document, names: tuple[str, ...]) -> str:
    return next(str(document[name]) for name in names if document.get(name))
