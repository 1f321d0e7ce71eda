"""A recorded session as the events that rules are asked about: in the order, at the times and with the look-ups of their judging.

Only the order is held whole; documents come a page at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from chaperone.collector.cli.ask import Whom, ask
from chaperone.collector.rules.event import CONNECTIONS, Event, Subject
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.times import rfc3339

Document = dict[str, Any]
PAGE = 500  # events whose documents are asked for at once


@dataclass(frozen=True, slots=True)
class PastSession:
    """`session`: its document. `order`: rows of the question events.list."""

    store: Whom
    session: Document
    order: list[Document] = field(repr=False)

    def events(self) -> Iterator[Event]:
        """Each event again."""
        rows = iter(self.order)
        while page := list(islice(rows, PAGE)):
            documents = {row["key"]: row["document"] for row in self._documents(page)}
            for row in page:
                if (event := event_again(row, documents, self.session)) is not None:
                    yield event

    def _documents(self, page: list[Document]) -> Iterator[Document]:
        pieces = sorted({row["key"] for row in page if row["subject"] == Subject.CHANNEL})
        things = sorted({row["call"] or row["key"] for row in page} - set(pieces))
        return ask(self.store, "events.documents", session=self.session["id"], things=things, pieces=pieces)


def recorded(store: Whom, session: str) -> PastSession:
    """A session of a store, by the beginning of its id."""
    rows = ask(store, "events.list", session=session)
    head = next(rows)
    return PastSession(store, head["session"], list(rows))


def event_again(row: Document, documents: Document, session: Document) -> Event | None:
    """The event that a row of the order names; None when its document is gone."""
    subject, moment, time = Subject(row["subject"]), Moment(row["moment"]), rfc3339(row["time"])
    document = documents.get(row["call"] or row["key"])
    if document is None or (subject is Subject.CHANNEL and row["key"] not in documents):
        return None
    if subject is Subject.CHANNEL:
        piece = documents[row["key"]] | {"id": row["key"]}
        return Event(subject, moment, time, document, piece, session, row["lookup"])
    if subject in CONNECTIONS:
        document = _egress(document, row["lookup"])
    return Event(subject, moment, time, document, session=session, lookup=row["lookup"])


def _egress(document: Document, lookup: Document) -> Document:
    """A connection with what was known of it; an exchange that later turned out to be a call, as it was."""
    if lookup:
        return {**document, "stream": "", **lookup}
    return document if "requestURI" not in document else document | {"path": document["requestURI"].partition("?")[0]}
