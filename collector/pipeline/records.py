"""Records → rows: what is not bytes here, what is in stream.py.

Memory is that of the readers of open streams, each bounded by its own limits, and one document per running process; the
end of a session lets go of all of it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.enforce.orders import Orders
from chaperone.collector.fault import place_of
from chaperone.collector.mask.known import Known
from chaperone.collector.pipeline import knowledge
from chaperone.collector.pipeline.gate import Gate
from chaperone.collector.pipeline.holds import Holds
from chaperone.collector.pipeline.names import Names
from chaperone.collector.pipeline.stream import Home, Stream
from chaperone.collector.store import facts
from chaperone.collector.store.connection import Named, connection
from chaperone.collector.store.glass import node_row
from chaperone.collector.store.marks import StreamMark
from chaperone.collector.store.recall import NAMES, Past
from chaperone.collector.store.rows import Sink
from chaperone.proto import records
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Record

BATCHES = 20  # for so many a closed stream waits to be bound, if a secret left in it
_OfStream = records.Chunk | records.Hold | records.Loss | records.Withheld | records.StreamClosed
UNOPENED = "bytes came that belong to no open stream"


@dataclass(slots=True)
class _Session:
    agent: str = ""  # who says what happens in it
    apiservers: frozenset[str] = frozenset()
    processes: dict[ProcessId, dict[str, Any]] = field(default_factory=dict)
    streams: set[StreamId] = field(default_factory=set)
    begun: set[StreamId] = field(default_factory=set)  # of these: what this collector saw begin
    known: Known = field(default_factory=Known)
    told: int = 0  # of how many secrets it was said that they are known no more
    gate: Gate | None = None
    names: Names = field(default_factory=Names)


class Pipeline:
    """Takes records in order; rows come out at `sink` (a list will do). `new_gate` makes each stream's gate.

    `scans`: whether in a session's connections to others than the apiserver its secrets are looked for. `own`: Chaperone's namespace.
    """

    own = ""

    def __init__(
        self, new_gate: Callable[[], Gate], sink: Sink, scans: Callable[[str], bool] = lambda _: False, holds: Holds | None = None
    ) -> None:
        self._scans, self._holds, self._agent = scans, holds or Holds(Orders()), ""
        self._new_gate, self._gate, self._sink = new_gate, new_gate(), sink
        self._sessions: dict[SessionId, _Session] = {}
        self._streams: dict[StreamId, Stream] = {}
        self._homes: dict[ProcessId, tuple[SessionId, ...]] = {}  # several where a session was cut
        self._over: dict[str, frozenset[StreamId]] = {}  # by agent: all of them is stored; it may say it once more
        self._touched: dict[StreamId, None] = {}
        self._marked: set[StreamId] = set()
        self._known_marks: list[StreamMark] = []
        self._closing: dict[StreamId, tuple[records.StreamClosed, int, int]] = {}  # closed, not bound yet; until which batch at most
        self._batches = 0

    def take(self, record: Record, wall_offset: int, agent: str = "") -> None:
        """One record of an agent; `wall_offset` is wall clock minus boot clock in ns. One that we fail on is noted, the rest goes on."""
        self._agent = agent
        try:
            _TAKERS[type(record)](self, record, wall_offset)
        except Exception as error:  # noqa: BLE001 - an agent would send the same batch again and again
            text = f"a {type(record).__name__} could not be used: {place_of(error)}"
            session = SessionId(getattr(record, "session", ""))
            self._note(records.Note(session, getattr(record, "time", 0), "collector", text, complete=False), wall_offset)

    def marks(self) -> tuple[list[StreamMark], Collection[str]]:
        """Of the streams that were touched since the last call: the marks of those that have one (empty: it is over), and which
        have none now. With them what sessions came to know."""
        self._close_the_waiting()
        touched, self._touched = self._touched, {}
        marks = [mark for stream in touched if (mark := self._mark(stream))]
        known = [mark for id_, session in self._sessions.items() for mark in knowledge.marks(id_, session.known)]
        known += [StreamMark(f"{NAMES}{id_}", saved) for id_, session in self._sessions.items() if (saved := session.names.saved())]
        known, self._known_marks = self._known_marks + known, []
        return marks + known, {*touched} - {mark.stream for mark in marks}

    def forget(self, agent: str) -> list[SessionId]:
        """Another collector has had this agent since: nothing of its sessions is as it was. Which these are."""
        gone = [id_ for id_, session in self._sessions.items() if session.agent == agent]
        for stream in [stream for stream, found in self._streams.items() if found.home.session in gone]:
            self._holds.over(stream)
            for known in (self._streams, self._touched, self._closing):
                known.pop(stream, None)
            self._marked.discard(stream)
        for id_ in gone:
            self._leave(id_, self._sessions.pop(id_).processes)
            self._holds.latecomers.over(id_)
        return gone

    def has(self, session: SessionId) -> bool:
        """Whether it goes on here."""
        return session in self._sessions

    def recall(self, past: Past, agent: str = "") -> None:
        """Go on with sessions of which an earlier collector stored the beginning: all, or an agent's. A stream without a mark is joined
        where it is."""
        self._over[agent] = past.over
        going_on = {found.session["id"]: found for found in past.sessions}
        self._known_marks += knowledge.left_over(going_on, past.known)
        self._known_marks += [StreamMark(name) for name in past.names if name.removeprefix(NAMES) not in going_on]
        for found in past.sessions:
            id_ = SessionId(found.session["id"])
            known = knowledge.recalled(id_, past.known)
            names = Names.recalled(past.names.get(f"{NAMES}{id_}"))
            session = self._sessions[id_] = _Session(agent, frozenset(found.session.get("apiservers", ())), known=known, names=names)
            session.processes.update((ProcessId(process["id"]), process) for process in found.processes)
            for process in session.processes:
                self._settle(process, id_)
            for stream in found.streams:
                self._reopen((StreamId(stream["id"]), id_, ProcessId(stream["process"])), past.marks)

    def _session_started(self, record: records.SessionStarted, offset: int) -> None:
        self._session(record.session).apiservers = frozenset(record.apiservers)
        gate = self._session_gate(record.session)
        text = gate.text
        labels = {text(key): text(value) for key, value in (record.labels or {}).items()}
        command = facts.Command(gate.argv(record.argv), text(record.cwd), labels, tuple(map(text, record.policies)))
        self._sink.append(facts.session_begun(record, command, offset, self.own))

    def _session_ended(self, record: records.SessionEnded, offset: int) -> None:
        session = self._sessions.get(record.session, _Session())
        for stream in sorted(session.streams & self._streams.keys()):
            self._closed(records.StreamClosed(stream, record.time, *self._streams[stream].next), offset)
        self._leave(record.session, session.processes)
        self._known_marks += [*knowledge.marks(record.session, session.known), StreamMark(f"{NAMES}{record.session}")]
        self._sessions.pop(record.session, None)
        self._holds.latecomers.over(record.session)
        self._sink.append(facts.session_over(record, offset))

    def _process_seen(self, record: records.ProcessSeen, offset: int) -> None:
        session = self._session(record.session)
        row = facts.process_seen(self._session_gate(record.session).process(record), offset)
        session.processes[record.process] = row.document
        self._settle(record.process, record.session)
        self._sink.append(row)

    def _process_ended(self, record: records.ProcessEnded, offset: int) -> None:
        for home in self._homes.pop(record.process, (SessionId(""),)):
            self._sink.append(facts.process_over(record, home, offset))
            self._session_processes(home).pop(record.process, None)

    def _settle(self, process: ProcessId, session: SessionId) -> None:
        homes = self._homes.get(process, ())
        self._homes[process] = homes if session in homes else (*homes, session)

    def _leave(self, session: SessionId, processes: Iterable[ProcessId]) -> None:
        for process in processes:
            homes = tuple(home for home in self._homes.pop(process, ()) if home != session)
            if homes:
                self._homes[process] = homes

    def _stream_opened(self, record: records.StreamOpened, offset: int) -> None:
        if not self._is_over(record) and record.stream not in self._marked:
            self._open((record.stream, record.session, record.process), record.late)
            self._session(record.session).begun.add(record.stream)
            if record.late:
                self._found_late(record.session, record.stream)
        self._sink.append(facts.stream_begun(record, offset))

    def _bound(self, record: records.Bound, offset: int) -> None:
        if record.stream in self._streams:
            self._streams[record.stream].bind(record.remote)
        if record.stream in self._closing:
            self._closed(*self._closing[record.stream][:2])
        self._sink.append(facts.stream_bound(record, record.session or self._session_of(record.stream), offset))

    def _chunk(self, record: records.Chunk, offset: int) -> None:
        if not self._is_over(record):
            stream = self._known(record, offset)
            stream.feed(record, offset)
            self._holds.heard(record.stream)
            self._say_forgotten(stream.home.session, record.time, offset)

    def _loss(self, record: records.Loss, offset: int) -> None:
        if not self._is_over(record):
            self._known(record, offset).lose(record, offset)
            self._holds.heard(record.stream)

    def _withheld(self, record: records.Withheld, offset: int) -> None:
        if not self._is_over(record):
            self._known(record, offset).withhold(record, offset)

    def _stream_closed(self, record: records.StreamClosed, offset: int) -> None:
        """Where to it led may be said behind its end: until then it is not over if a secret left in it."""
        if self._is_over(record):
            return
        if self._known(record, offset).waits:
            self._closing[record.stream] = record, offset, self._batches + BATCHES
        else:
            self._closed(record, offset)

    def _close_the_waiting(self) -> None:
        self._batches += 1
        for record, offset, last in [*self._closing.values()]:
            if self._batches > last:
                self._closed(record, offset)

    def _closed(self, record: records.StreamClosed, offset: int) -> None:
        self._closing.pop(record.stream, None)
        stream = self._known(record, offset)
        stream.close(record, offset)
        self._holds.over(record.stream)
        self._sink.append(facts.stream_over(record, stream.home.session, offset))
        del self._streams[record.stream]
        session = self._session(stream.home.session)
        session.streams.discard(record.stream)
        session.begun.discard(record.stream)
        self._holds.latecomers.gone(stream.home.session, record.stream)
        self._touched[record.stream] = None

    def _hold(self, record: records.Hold, offset: int) -> None:
        self._sink.append(facts.hold(record, self._session_of(record.stream), offset))
        if not self._is_over(record):
            stream = self._known(record, offset)
            self._look_for_latecomers(stream.home.session)
            self._holds.hold(record, stream, self._agent, offset)

    def _look_for_latecomers(self, id_: SessionId) -> None:
        """At a session's first held call: what has written already was not held."""
        if not self._holds.latecomers.is_held(id_):
            wrote = sorted(stream for stream in self._session(id_).begun if self._streams[stream].has_written)
            self._holds.latecomers.begin(id_, self._agent, wrote if self._holds.ends_latecomers(id_) else ())

    def _outcome(self, record: records.Outcome, offset: int) -> None:
        self._holds.decided(record)
        self._sink.append(facts.outcome(record, offset))

    def _break_glass(self, record: records.BreakGlass, offset: int) -> None:
        if not record.ended:
            self._holds.suspend(self._agent)
        text = self._gate.text
        self._sink.append(node_row(record, (text(record.who), text(record.why)), offset))

    def _connection(self, record: records.Connection, offset: int) -> None:
        text = self._session_gate(record.session).text
        names = self._session(record.session).names.of(record)
        self._find_late(record)
        self._sink.append(connection(record, Named(text(record.server_name), tuple(map(text, names))), offset))

    def _find_late(self, record: records.Connection) -> None:
        """One to an API server that was there before the agent: of its streams nobody knows on which socket they are."""
        if record.ended:
            self._holds.latecomers.gone(record.session, record.connection)
        elif record.before_out and record.remote in self._session(record.session).apiservers:
            self._found_late(record.session, record.connection)

    def _found_late(self, session: SessionId, subject: str) -> None:
        if self._holds.ends_latecomers(session):
            self._holds.latecomers.found(session, subject)

    def _name_answer(self, record: records.NameAnswer, offset: int) -> None:
        self._session(record.session).names.answered(record)

    def _note(self, record: records.Note, offset: int) -> None:
        self._sink.append(facts.note(record, self._session_gate(record.session).text(record.text), offset))

    def _unknown(self, record: records.Unknown, offset: int) -> None:
        unknown = f"records of kind {record.kind} are not known to this version"
        text = f"a record was left out: {record.reason}" if record.reason else unknown
        self._note(records.Note(record.session, 0, "collector", text, complete=False), offset)

    def _session_processes(self, id_: SessionId) -> dict[ProcessId, dict[str, Any]]:
        return self._sessions[id_].processes if id_ in self._sessions else {}

    def _session_gate(self, id_: SessionId) -> Gate:
        """For what belongs to a session and to no stream; where the session is not known, one that knows no secrets."""
        session = self._sessions.get(id_)
        if session is None:
            return self._gate
        if session.gate is None:
            session.gate = self._gate_of(id_)
        return session.gate

    def _gate_of(self, id_: SessionId, stream: StreamId | None = None) -> Gate:
        gate = self._new_gate()
        gate.share(self._session(id_).known, stream or StreamId(""))
        return gate

    def _say_forgotten(self, id_: SessionId, time: int, offset: int) -> None:
        session = self._session(id_)
        if text := knowledge.forgotten(session.known, session.told):
            session.told = session.known.forgotten
            self._note(records.Note(id_, time, "collector", text, complete=False), offset)

    def _session(self, id_: SessionId) -> _Session:
        return self._sessions.setdefault(id_, _Session(self._agent))

    def _is_over(self, record: _OfStream | records.StreamOpened) -> bool:
        stream, over = record.stream, self._over
        return stream in over.get("", ()) or stream in over.get(self._agent, ())

    def _mark(self, id_: StreamId) -> StreamMark | None:
        stream = self._streams.get(id_)
        if stream is None:
            return StreamMark(id_)
        return StreamMark(id_, state) if (state := stream.mark()) else None

    def _reopen(self, ids: tuple[StreamId, SessionId, ProcessId], marks: Mapping[str, bytes]) -> None:
        """Go on with a stream that an earlier collector had."""
        stream, mark = self._open(ids, late=True), marks.get(ids[0])
        if mark is None:
            return
        try:
            self._streams[ids[0]] = Stream.restore(mark, stream.home, self._gate_of(ids[1], ids[0]), self._sink)
            self._marked.add(ids[0])
        except Exception as error:  # noqa: BLE001 - one that is not as its layout says must not keep all others from going on
            text = f"its state could not be read, it is joined where it is: {place_of(error)}"
            self._note(records.Note(ids[1], 0, f"stream {ids[0]}", text, complete=False), 0)

    def _open(self, ids: tuple[StreamId, SessionId, ProcessId], late: bool = False) -> Stream:
        session, process = self._session(ids[1]), ids[2]
        session.streams.add(ids[0])
        home = Home(*ids, lambda: session.processes.get(process, {}), session.apiservers, lambda: self._scans(ids[1]))
        stream = self._streams[ids[0]] = Stream(home, self._gate_of(ids[1], ids[0]), self._sink, late)
        return stream

    def _known(self, record: _OfStream, offset: int) -> Stream:
        """The record's stream, made up where nobody opened it: a note says that nothing else is known of it."""
        self._touched[record.stream] = None
        if record.stream in self._streams:
            return self._streams[record.stream]
        self._note(records.Note(SessionId(""), record.time, f"stream {record.stream}", UNOPENED, complete=False), offset)
        return self._open((record.stream, SessionId(""), ProcessId("")), late=True)

    def _session_of(self, stream: StreamId) -> str:
        return self._streams[stream].home.session if stream in self._streams else ""


_TAKERS: dict[type, Callable[[Pipeline, Any, int], None]] = {
    records.SessionStarted: Pipeline._session_started,
    records.SessionEnded: Pipeline._session_ended,
    records.ProcessSeen: Pipeline._process_seen,
    records.ProcessEnded: Pipeline._process_ended,
    records.StreamOpened: Pipeline._stream_opened,
    records.Bound: Pipeline._bound,
    records.Chunk: Pipeline._chunk,
    records.Loss: Pipeline._loss,
    records.Withheld: Pipeline._withheld,
    records.StreamClosed: Pipeline._stream_closed,
    records.Hold: Pipeline._hold,
    records.Outcome: Pipeline._outcome,
    records.NameAnswer: Pipeline._name_answer,
    records.Note: Pipeline._note,
    records.BreakGlass: Pipeline._break_glass,
    records.Connection: Pipeline._connection,
    records.Unknown: Pipeline._unknown,
}
