"""The connections of governed workloads, from their first packet to their last: whose, where to, how much, and how much of it
was captured. TLS that no stream belongs to is said at once.

A connection is counted a moment after its first FIN or RST, when what was still under way has come. A UDP socket has no end that
a packet shows: it is over when it was quiet for a while.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chaperone.agent.ending.ends import tcp_of
from chaperone.agent.sockets.coverage import client_bytes
from chaperone.agent.sockets.hello import agreed, server_name
from chaperone.agent.sockets.hooks import FlowLookup
from chaperone.agent.sockets.peers import cookie_and_peer
from chaperone.agent.sockets.report import QUIC, Counted, Watched, counted, is_speaking, notes_of
from chaperone.agent.sockets.suite import quic, suite_of
from chaperone.agent.sockets.ties import Ties, Untied
from chaperone.agent.sockets.values import SocketAnswer, SocketClosing, SocketDenied, SocketHello, SocketOpened, SocketTied, SocketValue
from chaperone.agent.workload.lineage import Lineage
from chaperone.proto.ids import ProcessId, SessionId, StreamId
from chaperone.proto.records import Direction, NameAnswer, Record

SETTLE_NS = 300_000_000  # behind a FIN, for the rest to come
SUSPECT_NS = 200_000_000  # between a record and its tie lies one poll of the ring
QUIET_NS = 10_000_000_000
LIMIT = 16_000  # TCP connections at once of one session, a few less than the kernel lets one workload have (bpf/copy.h)
DATAGRAMS = 16384  # of these UDP


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel counted: `flows` of a cookie; `forget` when it is over. `stack_of` a process: whose TLS it speaks."""

    flows: FlowLookup
    forget: Callable[[int], None]
    stack_of: Callable[[int, int], str] = lambda _pid, _started: ""


class Connections:
    """Values and records in, records out. `lineage` knows the processes; `apiservers`: of each session, as host:port."""

    def __init__(self, lineage: Lineage, kernel: Kernel, apiservers: Mapping[SessionId, frozenset[str]]) -> None:
        self.lineage, self.kernel, self.apiservers = lineage, kernel, apiservers
        self.ties = Ties(self._addresses, self._leads_elsewhere)
        self._open: dict[int, Watched] = {}
        self._tcp: defaultdict[SessionId, dict[int, None]] = defaultdict(dict)  # cookies, the oldest first
        self._closing: dict[int, int] = {}  # cookie → time of the first FIN or RST
        self._untied: dict[int, int] = {}  # cookie of TLS without a stream → since when it speaks; 0: not yet
        self._quiet: dict[int, tuple[int, int]] = {}  # cookie of UDP → since when, at how many bytes; the longest first

    def take(self, value: SocketValue) -> Iterator[Record]:
        """What the kernel said about a socket."""
        match value:
            case SocketOpened():
                yield from self._begin(value)
            case SocketTied(pid, started, _, _, cookie):
                self._untied.pop(cookie, None)
                self._adopt(cookie, (pid, started))
                yield from self.ties.tied(self.lineage.id_of((pid, started)), value)
            case SocketHello(cookie) if cookie in self._open:
                self._hello(self._open[cookie], value)
            case SocketClosing(cookie, time) if cookie in self._open:
                self._closing.setdefault(cookie, time)
            case SocketDenied(cookie) if cookie in self._open:
                self._name_stack(self._open[cookie])
                yield self._open[cookie].denied(value)
            case SocketAnswer(cookie) if cookie in self._open:
                yield self._answer(self._open[cookie], value)

    def has_begun(self, process: ProcessId, handle: int) -> bool:
        """Whether a TLS object that is no stream yet writes on a connection that was seen from its first packet."""
        watched = self._open.get(self.ties.awaited(process, handle))
        return watched is not None and not watched.opened.late

    def knows_all_of(self, pid: int) -> bool:
        """Whether a process has TCP connections and each of them was seen from its first packet."""
        try:
            cookies = tcp_of(pid)
        except OSError:
            return False
        return bool(cookies) and all(cookie in self._open and not self._open[cookie].opened.late for cookie in cookies)

    def place_of(self, id_: str) -> tuple[SessionId, int] | None:
        """The session and the socket's cookie of an open connection, by its id or that of a stream on it."""
        tied = self.ties.cookie_of(StreamId(id_))
        found = next((one for one in self._open.values() if one.id == id_ or (tied and one.opened.cookie == tied)), None)
        return (found.session, cookie_and_peer(found.opened.cookie)[0]) if found else None

    def has_open(self, session: SessionId) -> bool:
        """Whether a connection of this session is open, or a stream of it waits for its connection."""
        return bool(self._of(session)) or self.ties.is_waiting(session)

    def look(self, now: int) -> Iterator[Record]:
        """What has become certain by waiting."""
        for cookie in list(self._untied):
            yield from self._suspect(cookie, now)
        for cookie in [cookie for cookie, time in self._closing.items() if now - time > SETTLE_NS]:
            yield from self._finish(cookie, self._closing[cookie])
        while self._quiet and now - next(iter(self._quiet.values()))[0] >= QUIET_NS:
            yield from self._listen(next(iter(self._quiet)), now)
        yield from self.ties.unassociated(now - 2 * SETTLE_NS)

    def end(self, now: int, session: SessionId | None = None) -> Iterator[Record]:
        """The recording ends, of all or of one session: every connection as far as it has come."""
        for cookie in self._of(session):
            yield from self._finish(cookie, self._closing.get(cookie, 0) or now)
        yield from self.ties.unassociated(now)

    def forget(self, session: SessionId) -> None:
        """Of this session nothing more is said."""
        for cookie in self._of(session):
            for table in (self._open, self._closing, self._untied, self._quiet):
                table.pop(cookie, None)
            self.ties.forget(cookie)
            self.kernel.forget(cookie)
        self._tcp.pop(session, None)
        self.ties.forget_session(session, self.lineage.forget(session))

    def _of(self, session: SessionId | None) -> list[int]:
        return [cookie for cookie, watched in self._open.items() if session in (None, watched.session)]

    def _begin(self, value: SocketOpened) -> Iterator[Record]:
        if value.protocol == "udp" and len(self._quiet) >= DATAGRAMS:
            yield from self._finish(next(iter(self._quiet)), value.time)
        key = (value.pid, value.started)
        if not value.late and key not in self.lineage.living and value.workload in self.lineage.sessions:
            yield from self.lineage.met(key, value.workload, value.time)
        session = self._session_of(value.workload)
        process = self.lineage.living.get(key)
        if value.late and process and process.session != session:
            process = None
        session = process.session if process else session
        if value.protocol == "tcp":
            yield from self._make_room(session, value.time)
            self._tcp[session][value.cookie] = None
        watched = self._open[value.cookie] = Watched(value, session, process, self.apiservers.get(session, frozenset()))
        if value.protocol == "udp":
            self._quiet[value.cookie] = (value.time, 0)
        if value.quic:
            watched.suite, watched.stack = quic(value.quic), QUIC
            yield from watched.unread(value.time)
        else:
            yield watched.record()
            yield from watched.joined()

    def _make_room(self, session: SessionId, time: int) -> Iterator[Record]:
        """One that has too many loses its own oldest; where that goes on, it is joined late."""
        if len(self._tcp[session]) >= LIMIT:
            yield from self._finish(next(iter(self._tcp[session])), time)

    def _adopt(self, cookie: int, key: tuple[int, int]) -> None:
        """A packet of a connection that was open before may leave in anybody's thread; who writes TLS to it is whose it is."""
        watched = self._open.get(cookie)
        if watched and watched.process is None and (process := self.lineage.living.get(key)):
            watched.process, watched.was_nobodys = process, True

    def _session_of(self, workload: int) -> SessionId:
        """0, or of one that is over: any."""
        return self.lineage.sessions.get(workload) or next(iter(self.lineage.sessions.values()))

    def _answer(self, watched: Watched, value: SocketAnswer) -> NameAnswer:
        protocol = watched.opened.protocol
        return NameAnswer(watched.id, watched.session, value.time, value.position, value.size, value.data, protocol)

    def _hello(self, watched: Watched, value: SocketHello) -> None:
        if value.direction is Direction.OUT:
            watched.server_name, watched.clear = server_name(value.data), watched.opened.before[Direction.OUT] + value.position
            self._untied[value.cookie] = 0
            if not self._is_read(watched):
                self._name_stack(watched)
        else:
            watched.suite = suite_of(agreed(value.data))

    def _suspect(self, cookie: int, now: int) -> Iterator[Record]:
        """TLS of which nothing was captured: once its application bytes flow and no tie came with them."""
        watched, flows = self._open[cookie], self.kernel.flows(cookie)
        if self.ties.on(cookie) or not flows or not is_speaking(flows[Direction.OUT], watched.suite):
            return
        since = self._untied[cookie] = self._untied[cookie] or now
        if now - since >= SUSPECT_NS and self._is_certain(watched):
            del self._untied[cookie]
            yield from self._unread(watched, now)

    def _name_stack(self, watched: Watched) -> None:
        """At the hello of a process that was never read, which may be gone when that is certain; else when it is."""
        if not watched.stack:
            watched.stack = self.kernel.stack_of(watched.opened.pid, watched.opened.started)

    def _is_read(self, watched: Watched) -> bool:
        return watched.process is not None and watched.process.process in self.ties.speaking

    def _is_certain(self, watched: Watched) -> bool:
        """That nothing of it is read: where other TLS of its process is, each stream must have a socket of its own."""
        return not self._is_read(watched) or not self.ties.is_waiting(watched.session)

    def _unread(self, watched: Watched, now: int) -> Iterator[Record]:
        self._name_stack(watched)
        yield from watched.unread(now, "library" if self._is_read(watched) else "process")

    def _listen(self, cookie: int, now: int) -> Iterator[Record]:
        """One that may have been quiet for as long as ends it."""
        _since, size = self._quiet.pop(cookie)
        flows = self.kernel.flows(cookie)
        moved = sum(flow.wire for flow in flows) if flows else size
        if moved == size:
            yield from self._finish(cookie, now)
        else:
            self._quiet[cookie] = (now, moved)

    def _finish(self, cookie: int, time: int) -> Iterator[Record]:
        watched, flows = self._open[cookie], self.kernel.flows(cookie)
        untied = cookie in self._untied
        if flows and watched.process:
            known = self.ties.plaintext(cookie, Direction.OUT)
            sent = client_bytes(flows[Direction.OUT], watched.suite) - (known.reached - known.early)
            yield from self.ties.match(Untied(cookie, watched.process.process, watched.opened.time, sent), time)
        del self._open[cookie]
        for table in (self._closing, self._untied, self._quiet, self._tcp.get(watched.session, {})):
            table.pop(cookie, None)
        if untied and flows and is_speaking(flows[Direction.OUT], watched.suite) and not self.ties.on(cookie) and self._is_certain(watched):
            yield from self._unread(watched, time)
        plain = tuple(self.ties.plaintext(cookie, direction) for direction in Direction)
        strays = sum(spoken.strays for spoken in self.ties.on(cookie))
        result = counted(watched, flows, Counted(plain, strays))
        yield watched.record(time, result)
        yield from notes_of(watched, result, time)
        self.ties.forget(cookie)
        self.kernel.forget(cookie)

    def _leads_elsewhere(self, cookie: int) -> bool:
        watched = self._open.get(cookie)
        return watched is not None and watched.leads_elsewhere()

    def _addresses(self, cookie: int) -> tuple[str, str]:
        watched = self._open.get(cookie)
        return (watched.opened.local, watched.opened.remote) if watched else ("", "")
