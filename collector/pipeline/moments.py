"""Rows → the events that rules are asked about, each once: also when an agent says again what an earlier collector had.

Kept are the documents of calls and connections that are open, and the names of the last LATELY things that are over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.pipeline.egress import Egress, authority
from chaperone.collector.rules.event import (
    Event,
    call_events,
    connection_event,
    egress_event,
    leak_event,
    piece_event,
    reached,
    unread_event,
)
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.store.document import process_in_short
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import time_ns
from chaperone.proto.records import NO_SESSION

Document = Mapping[str, Any]
Done = tuple[str, str, int]  # subject, key, moment
LATELY = 50_000
SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, when, and where on its stream."""

    event: Event
    time_ns: int
    stream: str = ""
    at: int = 0


@dataclass(slots=True)
class _Session:
    document: Document
    processes: dict[str, Document] = field(default_factory=dict)


class Moments:
    """Of all sessions."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._calls: dict[str, tuple[Document, int]] = {}  # open ones: as last seen, and the last moment judged
        self._last: tuple[str, Document] = "", {}  # the call that ended last: its pieces follow
        self._connections: dict[str, bool] = {}  # open ones: whether judged
        self._exchanges: set[str] = set()  # open ones
        self._done: dict[Done, None] = {}
        self._egress = Egress()
        self._takers: dict[Kind, Callable[[Row], Iterator[Event]]] = {
            Kind.SESSION: self._session,
            Kind.PROCESS: self._process,
            Kind.STREAM: self._stream,
            Kind.CALL: self._call,
            Kind.PIECE: self._piece,
            Kind.EXCHANGE: self._exchange,
            Kind.LEAK: self._leak,
            Kind.CONNECTION: self._connection,
        }

    def of(self, row: Row) -> list[Happened]:
        """What happened with this row."""
        taker = self._takers.get(row.kind)
        events = list(taker(row)) if taker else []
        return [Happened(event, time_ns(event.time), row.stream, row.position) for event in events if self._is_new(event)]

    def foreseen(self, row: Row) -> list[Happened]:
        """The request or piece of this row, which is not whole: it is new once it is."""
        if row.kind is Kind.CALL:
            found = list(call_events(row.document, self.session_of(row.session)))[:1]
        else:
            found = list(self._piece(row)) if row.kind is Kind.PIECE else [egress_event(row.document, self.session_of(row.session))]
        return [Happened(event, time_ns(event.time), row.stream, row.position) for event in found]

    def known(self, done: Done) -> None:
        """This was judged before."""
        self._done[done] = None
        while len(self._done) > LATELY:
            del self._done[next(iter(self._done))]

    def open_call(self, document: Document) -> None:
        """An earlier collector has judged this call as far as it had come."""
        self._calls[document["id"]] = document, reached(document)

    def session_of(self, session: str) -> Document:
        """A session's document."""
        found = self._sessions.get(session)
        return found.document if found else {"id": session}

    def process_of(self, session: str, process: str) -> Document:
        """A process's document."""
        found = self._sessions.get(session)
        return found.processes.get(process, {}) if found else {}

    def open_session(self, document: Document, processes: Sequence[Document]) -> None:
        """A session that is known."""
        self._sessions[document["id"]] = _Session(document, {process["id"]: process for process in processes})
        self._egress.begun(document)
        while len(self._sessions) > SESSIONS:
            self._forget(next(iter(self._sessions)))

    def forget(self, session: str) -> None:
        """Nothing more of it happens here."""
        self._forget(session)
        self._calls = {id_: call for id_, call in self._calls.items() if call[0].get("session") != session}

    def _session(self, row: Row) -> Iterator[Event]:
        if "ended" in row.document:
            self._forget(row.session)
        else:
            self.open_session(row.document, [])
        yield from ()

    def _forget(self, session: str) -> None:
        self._sessions.pop(session, None)
        self._egress.over(session)

    def _process(self, row: Row) -> Iterator[Event]:
        if (session := self._sessions.get(row.session)) is not None:
            if "ended" in row.document:
                session.processes.pop(row.id, None)
            else:
                session.processes[row.id] = row.document
        yield from ()

    def _stream(self, row: Row) -> Iterator[Event]:
        if "remote" in row.document and row.session != NO_SESSION:
            self._egress.bound(row.session, row.document)
        yield from ()

    def _call(self, row: Row) -> Iterator[Event]:
        document, id_ = row.document, row.id
        self._egress.spoke(row.session, row.stream)
        _, after = self._calls.pop(id_, ({}, 0))
        if reached(document) < Moment.END:
            self._calls[id_] = document, max(after, reached(document))
        else:
            self._last = id_, document
        yield from call_events(document, self.session_of(row.session), after)

    def _piece(self, row: Row) -> Iterator[Event]:
        call = self._calls.get(row.call, ({}, 0))[0] or (self._last[1] if self._last[0] == row.call else {})
        if call:
            yield piece_event(row.document | {"id": row.id}, call, self.session_of(row.session))

    def _exchange(self, row: Row) -> Iterator[Event]:
        is_known = row.id in self._exchanges
        (self._exchanges.discard if row.document["phase"] == "end" else self._exchanges.add)(row.id)
        if not is_known:
            yield egress_event(row.document, self.session_of(row.session))

    def _leak(self, row: Row) -> Iterator[Event]:
        yield leak_event(row.document, self.session_of(row.session))

    def _connection(self, row: Row) -> Iterator[Event]:
        document, id_ = row.document, row.id
        is_over = "ended" in document
        judged = self._connections.pop(id_, False)
        external = None if judged else self._egress.is_external(row.session, document)
        if not is_over:
            self._connections[id_] = judged or external is not None
        if external:
            yield connection_event(document, self.session_of(row.session), self._looked_up(row))
        if "unread" in document:
            is_external = self._egress.is_external(row.session, document)
            lookup = {**self._looked_up(row), "apiserver": None if is_external is None else not is_external}
            yield unread_event(document, self.session_of(row.session), lookup)

    def _looked_up(self, row: Row) -> Document:
        process = self.process_of(row.session, row.document["process"])
        short = process_in_short(row.document["process"], process)
        return {"process": short, "authority": authority(row.document), "names": row.document.get("names", [])}

    def _is_new(self, event: Event) -> bool:
        """Open calls and connections are counted above; this is for what is said again, and for what ends at once."""
        done = done_of(event)
        if done in self._done:
            return False
        self.known(done)
        return True


def done_of(event: Event) -> Done:
    """The name under which an event is judged once."""
    return str(event.subject), event.key, int(event.moment)
