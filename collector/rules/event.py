"""What is judged: a call, a piece of one, or an exchange with somebody else, as the documents that the store keeps.

Documents (store/document.py) are made of masked values only. They are used instead of MaskedCall so that a session read
back from the store is judged by the very same values as it was live.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Event:
    """`document`: the call or exchange; `piece`: with CHANNEL, what it brought; `session`: the session's document."""

    subject: Subject
    moment: Moment
    time: str
    document: Document = field(repr=False)
    piece: Document = field(default_factory=dict, repr=False)
    session: Document = field(default_factory=dict, repr=False)


def call_events(document: Document, session: Document, after: int = 0) -> Iterator[Event]:
    """A call's moments that were reached, behind moment number `after`."""
    reached = _REACHED[document["phase"]]
    for moment, names in _TIMES.items():
        if after < moment <= reached:
            yield Event(Subject.CALL, moment, _first(document, names), document, session=session)


def piece_event(piece: Document, call: Document, session: Document) -> Event:
    """A piece of a call."""
    return Event(Subject.CHANNEL, Moment.CHANNEL, str(piece["time"]), call, piece, session)


def egress_event(document: Document, session: Document) -> Event:
    """An exchange that is not Kubernetes: known with its request."""
    return Event(Subject.EGRESS, Moment.REQUEST, str(document["time"]), document, session=session)


def in_order(events: Iterable[Event]) -> list[Event]:
    """As they happened."""
    return sorted(events, key=lambda event: (event.time, event.moment))


def reached(document: Document) -> int:
    """The number of the last moment a call's document knows."""
    return _REACHED[document["phase"]]


def _first(document: Document, names: tuple[str, ...]) -> str:
    return next(str(document[name]) for name in names if document.get(name))
