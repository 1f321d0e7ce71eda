"""What is said of one connection: a `Connection` record at its begin and end, notes where something is missing.

Towards an apiserver, or where a stream was captured, a gap makes the recording incomplete. So does TLS of a process of which
nothing is captured, unless the recording knows its apiservers and this is none of them, nor goes through a proxy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chaperone.agent.sockets.coverage import Coverage, Plaintext, coverage
from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.peers import cookie_and_peer
from chaperone.agent.sockets.suite import Suite
from chaperone.agent.sockets.values import Flow, SocketDenied, SocketOpened
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId, connection_id
from chaperone.proto.records import Connection, Direction, Note, ProcessSeen, Record

UNKNOWN = Suite("", -1)
DISPLACED = Coverage("unproven", 0, why="the kernel's counts were displaced by those of other connections")

DENIED = {
    Denied.HELLO: "TLS from an uninstrumented process or library was not let begin (uncovered: deny)",
    Denied.BYTES: "TLS that no probe reads was not let out (uncovered: deny), its connection ended",
    Denied.HEADERS: "TCP whose headers cannot be followed was not let out",
    Denied.BEYOND: "more than was let go was kept from leaving, its connection ended",
}
QUIC = "QUIC"
UNFOLLOWED = Coverage("unproven", 0, why="its packets have headers that are not followed")
NOT_READ = Coverage("unproven", 0, why="QUIC is not read")


@dataclass(slots=True)
class Watched:
    """An open connection."""

    opened: SocketOpened
    session: SessionId
    process: ProcessSeen | None
    apiservers: frozenset[str] = frozenset()
    server_name: str = ""
    suite: Suite = UNKNOWN
    unread_since: int = 0  # when it was certain that no probe reads it; 0: it is not
    stack: str = ""  # whose TLS it is, where no probe reads it
    clear: int = -1  # bytes that were said in the clear before a ClientHello; -1: there was none. 0: TLS is with who is at its other end
    was_nobodys: bool = False  # when it was named: whose it is became known later

    def record(self, ended: int = 0, result: "Result | None" = None) -> Connection:
        """The connection as it is known now; `ended` 0: it goes on."""
        opened = self.opened
        cookie, _peer = cookie_and_peer(opened.cookie)
        about = (cookie, opened.local, opened.remote, opened.protocol, self.server_name, self.suite.version)
        begun = Connection(self.id, self.session, self.process_id, opened.time, *about, ended)
        if any(opened.before):
            begun = replace(begun, before_out=opened.before[Direction.OUT], before_in=opened.before[Direction.IN])
        if self.unread_since:
            begun = replace(begun, unread=self.stack, known=self.unread_since)
        return result.added_to(begun) if result else begun

    @property
    def id(self) -> ConnectionId:
        """Its name in the recording."""
        return connection_id(ProcessId("") if self.was_nobodys else self.process_id, self.opened.cookie, self.opened.time)

    @property
    def process_id(self) -> ProcessId:
        """Whose it is."""
        return self.process.process if self.process else ProcessId("")

    def is_apiserver(self) -> bool:
        """Whether this may lead to an apiserver: one of those known, or any if none is."""
        port = self.opened.remote.rpartition(":")[2]
        return not self.apiservers or bool({self.opened.remote, f"{self.server_name}:{port}"} & self.apiservers)

    def may_be_passed_on(self) -> bool:
        """Whether it said something before it spoke TLS: to a proxy, from which it may lead to anybody."""
        return self.clear > 0

    def leads_elsewhere(self) -> bool:
        """Whether this certainly leads to no apiserver. Of one without TLS, or that was there before us, nobody saw how it began."""
        return not self.is_apiserver() and self.clear == 0

    def matters(self) -> bool:
        """Whether what is missing of it makes the recording incomplete."""
        return self.is_apiserver() or self.may_be_passed_on()

    def joined(self) -> Iterator[Note]:
        """What it had carried before it was watched, if anything."""
        out, into = self.opened.before
        if out or into:
            carried = f"{out} bytes out and {into} in were carried before"
            text = f"joined late: {carried}: {self.who()} to {self.where()}"
            yield Note(self.session, self.opened.time, "connection", text, complete=not self.is_apiserver())

    def unread(self, time: int, by: str = "process") -> Iterator[Record]:
        """From now on it is certain that its plaintext can't be read. `by`: what has no probes; a library where the rest is read."""
        self.unread_since = time
        what = QUIC if self.opened.quic else f"TLS from an uninstrumented {by}"
        text = f"{what}: {self.who()} to {self.where()}; its plaintext is not recorded"
        yield self.record()
        yield Note(self.session, time, "connection", text, complete=not self.matters())

    def denied(self, value: SocketDenied) -> Note:
        """The second lock keeps it silent."""
        return Note(self.session, value.time, "enforcement", f"{DENIED[value.why]}: {self.who()} to {self.where()}")

    def who(self) -> str:
        """Program, pid and TLS stack."""
        exe = self.process.exe if self.process else ""
        stack = f", {self.stack}" if self.stack and not self.opened.quic else ""
        pid = f"pid {self.process.pid if self.was_nobodys and self.process else self.opened.pid}"
        return f"{exe or 'an unknown program'} ({pid}{stack})" if self.process or not self.opened.late else f"an unknown program{stack}"

    def where(self) -> str:
        """Address and name asked for."""
        return f"{self.opened.remote} ({self.server_name})" if self.server_name else self.opened.remote


@dataclass(frozen=True, slots=True)
class Counted:
    """What streams amount to: per direction, and how many of their records were seen on another connection."""

    plain: tuple[Plaintext, ...]
    strays: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """Per direction: payload, coverage (None: no TLS), bytes captured."""

    wire: tuple[int, ...] = (0, 0)
    coverage: tuple[Coverage | None, ...] = (None, None)
    captured: tuple[int, ...] = (0, 0)

    def added_to(self, begun: Connection) -> Connection:
        """The record with these counts."""
        app_out, app_in = (one.app if one else 0 for one in self.coverage)
        said_out, said_in = (str(one or "") for one in self.coverage)
        (wire_out, wire_in), (captured_out, captured_in) = self.wire, self.captured
        wire = replace(begun, wire_out=wire_out, wire_in=wire_in, app_out=app_out, app_in=app_in)
        return replace(wire, captured_out=captured_out, captured_in=captured_in, coverage_out=said_out, coverage_in=said_in)

    def gap(self) -> int:
        """Bytes missing in both directions."""
        return sum(one.gap for one in self.coverage if one)


def counted(watched: Watched, flows: tuple[Flow, Flow] | None, counts: Counted) -> Result:
    """Compare what was carried with what was captured."""
    captured = tuple(plain.captured for plain in counts.plain)
    if flows is None:
        return Result(coverage=(DISPLACED, DISPLACED), captured=captured)
    wire = tuple(flow.wire for flow in flows)
    if watched.opened.quic:
        return Result(wire, (NOT_READ, NOT_READ), captured)
    if any(flow.unfollowed for flow in flows):
        return Result(wire, (UNFOLLOWED, UNFOLLOWED), captured)
    if not any(flow.tls for flow in flows):
        return Result(wire, captured=captured)
    if counts.strays:
        odd = Coverage("unproven", 0, why="a stream's records were seen on two connections")
        return Result(wire, (odd, odd), captured)
    out, into = (coverage(way, flow, watched.suite, plain) for way, flow, plain in zip(Direction, flows, counts.plain, strict=True))
    if out.app > counts.plain[Direction.OUT].reached and into.state == "complete":
        into = replace(into, state="unproven", why="the probes came late, so what looks like tickets may have been data")
    return Result(wire, (out, into), captured)


def notes_of(watched: Watched, result: Result, time: int) -> Iterator[Note]:
    """What a reader must know; what was said when it happened is not repeated."""
    if UNFOLLOWED in result.coverage:
        text = f"what was said cannot be known, since its packets' headers are not followed: {watched.who()} to {watched.where()}"
        yield Note(watched.session, time, "connection", text, complete=False)
    if not result.gap() or watched.unread_since:
        return
    parts = (f"{one.gap} bytes {way.name.lower()}" for way, one in zip(Direction, result.coverage, strict=True) if one and one.gap)
    text = f"{' and '.join(parts)} were carried and not captured: {watched.who()} to {watched.where()}"
    is_known = any(result.captured) or watched.matters()
    yield Note(watched.session, time, "connection", text, complete=not is_known)


def is_speaking(out: Flow, suite: Suite) -> bool:
    """Whether a client has sent application bytes: in 1.3 its first records may be its handshake, Finished the last of them. Where
    that is of another size than it should have (JSSE), all but the first are taken for data."""
    if not suite.finished:
        return bool(out.records)
    sizes = [size - suite.overhead for size in out.first]
    handshake = sizes.index(suite.finished) + 1 if suite.finished in sizes else 1
    return out.records > handshake
