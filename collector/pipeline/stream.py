"""One stream: bytes → events → exchanges → calls → masked rows.

What is missing is counted here, from positions alone: a reader says where it reads on, not what was lost.
A Mark holds all that the next collector needs to make the same rows of the bytes that follow: reader, exchanges, calls, what
masking holds back, and the bytes of a frame that has begun. It is unmasked: the store seals it.
A stream that our code fails on is read no further, and a note says so with the exception's type and place, never its text;
the other streams go on.
It is long because a Mark is one state: what each part of it does to the others is in one class.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Protocol, Self

import msgpack

from chaperone.collector.fault import place_of
from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.kube.calls import Calls
from chaperone.collector.mask.masked import MaskedCall, MaskedExchange, MaskedPiece
from chaperone.collector.mask.taint import Left
from chaperone.collector.pipeline.behind import Behind, Fed, restored
from chaperone.collector.pipeline.gate import Gate
from chaperone.collector.store import facts
from chaperone.collector.store.document import Place, Refused, call_document, denied, exchange_document, piece_document
from chaperone.collector.store.leak import leak
from chaperone.collector.store.rows import Kind, Row, Sink
from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.events import Event, Resumed, Unreadable
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.proto.ids import CallId, ProcessId, SessionId, StreamId, call_id
from chaperone.proto.records import Cause, Chunk, Direction, Hold, Loss, Note, StreamClosed, Withheld

JOINED = 1  # where an agent begins to count that joins a stream late: how much there was before, the connection says
REJOINED = "read from the middle; what was under way is cut"
WITHHELD = "not kept: it went to no API server, and egress.scan is off"
EARLY_LIMIT = 64 * 1024  # bytes of a server that speaks first
FORBIDDEN = 403
JUDGED = 1024  # held writes of which nobody has said yet that they were written
UNPLACED = 100  # secrets that left; past that they are told without a host


@dataclass(frozen=True, slots=True)
class Home:
    """Whose a stream is. `process` gives the process's document as it is now."""

    stream: StreamId
    session: SessionId
    process_id: ProcessId
    process: Callable[[], dict[str, Any]]
    apiservers: frozenset[str] = frozenset()
    scans: Callable[[], bool] = lambda: False  # whether secrets are looked for in what isn't Kubernetes


@dataclass(frozen=True, slots=True)
class Why:
    """Why bytes are not here; `lost` is False when they were somewhere else."""

    time: int
    cause: str
    lost: bool = True


class Listener(Protocol):
    """Who composes what leaves instead."""

    def heard(self, fed: Fed, events: list[Event], held: bool) -> None:
        """The reader was given this, and said that of it. `held`: it has not left yet."""
        ...

    def failed(self) -> None:
        """Nothing is read any more."""
        ...


class Stream:
    """Reads one stream; rows go to `sink`. With `late`, its first bytes are not known to be the stream's first."""

    def __init__(self, home: Home, gate: Gate, sink: Sink, late: bool = False) -> None:
        self.home = home
        self.next = [0, 0]  # the position behind what each direction's reader has had
        self._gate, self._sink = gate, sink
        self._reader, self._exchanges, self._calls = StreamReader(), Exchanges(), Calls(home.apiservers)
        self._joining = set(Direction) if late else set()
        self._ordinals: dict[str, dict[str, tuple[int, int]]] = {}  # by call and direction: a position and how many pieces came there
        self._failed = self._restored = self._opaque = False
        self._remote = ""  # where to, once it is known
        self.is_bound = False  # to a socket
        self._unplaced: list[tuple[Left, str, int]] = []  # secrets that left to nobody knows whom yet
        self._behind = Behind()
        self._last = 0, 0  # time and offset of the last record
        self._held: Listener | None = None
        self._early = bytearray()  # what the server sent before the client's first byte
        self._judged: dict[int, tuple[int, bytes]] = {}  # size and digest of held writes, by position, until they are said to be written
        self._open: dict[int, MaskedCall | MaskedExchange] = {}  # on a held stream: what is not decided or not over
        self._refused: set[int] = set()

    def mark(self) -> bytes | None:
        """State to go on from; None while something cannot be saved."""
        found: list[bytes | None] = []
        self._guarded(*self._last, lambda: found.append(_packed(self._state())))
        return found[0] if found else _packed({"failed": True, "next": self.next})

    def _state(self) -> dict[str, Any] | None:
        reader = self._reader.mark()
        calls = self._calls.mark() if reader else None
        if reader is None or calls is None or self._unplaced:
            return None
        positions = self.next if reader["kind"] == "unreadable" else reader["positions"]
        if not self._behind.settle(positions):
            return None
        ordinals = [[call, direction, *last] for call, found in self._ordinals.items() for direction, last in found.items()]
        states = {"reader": reader, "exchanges": self._exchanges.mark(), "calls": calls, "gate": self._gate.mark()}
        return states | {"next": self.next, "failed": False, "ordinals": ordinals, "behind": self._behind.saved(positions)}

    @classmethod
    def restore(cls, mark: bytes, home: Home, gate: Gate, sink: Sink) -> Self:
        """A stream that goes on from `mark`. If what comes next begins later, an earlier collector had what is between."""
        stream = cls(home, gate, sink, late=True)
        state = msgpack.unpackb(mark, strict_map_key=False, unicode_errors="surrogatepass")
        stream.next, stream._failed, stream._restored = list(state["next"]), state["failed"], True
        if not stream._failed:
            stream._go_on(state)
        return stream

    def _go_on(self, state: dict[str, Any]) -> None:
        self._reader, self._exchanges = StreamReader.restore(state["reader"]), Exchanges.restore(state["exchanges"])
        self._calls = Calls.restore(state["calls"], self.home.apiservers)
        self._gate.go_on(state["gate"])
        for call, direction, position, count in state["ordinals"]:
            self._ordinals.setdefault(call, {})[direction] = position, count
        for fed in restored(state["behind"]):
            self._give(fed)

    def feed(self, chunk: Chunk, offset: int) -> None:
        """Take bytes. `offset` is wall clock minus boot clock in ns."""
        self._compare(chunk)
        self._guarded(chunk.time, offset, lambda: self._feed(chunk, offset))
        self._reach(chunk.direction, chunk.position + len(chunk.data))

    @property
    def waits(self) -> bool:
        """Whether a secret left and nobody knows where to."""
        return bool(self._unplaced)

    def bind(self, remote: str) -> None:
        """Where it leads to is known."""
        self._remote, self.is_bound = remote, True
        self._tell_unplaced()

    def be_held(self, listener: "Listener") -> bool:
        """Tell `listener` all that is read from now on. False if that isn't all from the first byte on."""
        if self._joining or self._failed or self.next[Direction.OUT] or len(self._early) < self.next[Direction.IN]:
            return False
        self._held = listener
        if self._early:
            listener.heard(Fed(Direction.IN, 0, len(self._early), 0, bytes(self._early)), [], held=False)
        self._early.clear()
        return True

    @property
    def has_written(self) -> bool:
        """Whether its client has, or may have."""
        return bool(self._joining) or self.next[Direction.OUT] > 0

    @property
    def told(self) -> int | None:
        """Up to where rules can have been asked about what its channels were sent; None where it has none."""
        return self._reader.told

    def be_free(self) -> None:
        """Nobody listens any more."""
        self._held = None
        self._open.clear()

    def hold(self, hold: Hold, offset: int) -> None:
        """Take bytes that wait to be written: the chunk that comes of them is not read again."""
        chunk = Chunk(hold.stream, hold.direction, hold.position, hold.data, hold.time)
        if hold.direction is Direction.OUT and len(self._judged) < JUDGED:
            self._judged[hold.position] = len(hold.data), _digest(hold.data)
        self._guarded(hold.time, offset, lambda: self._feed(chunk, offset, held=True))
        self._reach(hold.direction, hold.position + len(hold.data))

    def note(self, text: str) -> None:
        """Say something of it that makes its recording incomplete."""
        time, offset = self._last
        note = Note(self.home.session, time, f"stream {self.home.stream}", text, complete=False)
        self._sink.append(facts.note(note, self._gate.text(text), offset))

    def id_of(self, position: int) -> CallId:
        """The id of the request that begins there."""
        return call_id(self.home.stream, position)

    def begun(self, position: int) -> Row | None:
        """A request that is not whole, as a row of what is known of it: to be judged, not to be kept."""
        time, offset = self._last
        if (exchange := self._exchanges.begun(position, time)) is None:
            return None
        found = self._calls.begun(exchange)
        masked = self._gate.call(found) if isinstance(found, Call) else self._gate.exchange(found)
        self._open[position] = masked
        return self._made(masked, offset)

    def typed(self) -> list[Row]:
        """What its channels were sent and masking holds back, as rows: to be judged, not to be kept."""
        place = self._place(self._last[1])
        return [self._piece_row(piece, call_id(self.home.stream, at), 0, place) for at, piece in self._gate.held_back()]

    def refuse(self, position: int, refused: Refused, code: int | None = FORBIDDEN) -> None:
        """This request never leaves: its call is over, and what the server says of it belongs to nobody. `code`: what the client reads."""
        self._reader.replaced(position)
        self._refused.add(position)
        time, offset = self._last
        if (found := self._open.pop(position, None)) is not None:
            over = replace(found, phase=Phase.END, at=self.next[Direction.IN], ended=time, code=code)
            self._append(over, self._made(over, offset, {"denied": denied(refused)}))

    def lose(self, loss: Loss, offset: int) -> None:
        """Take what the agent could not get: what of it the reader has not had yet, and any jump before it."""
        self._guarded(loss.time, offset, lambda: self._lose(loss, offset))
        self._reach(loss.direction, loss.position + loss.size)

    def withhold(self, withheld: Withheld, offset: int) -> None:
        """What the agent did not send: nothing of it is missing, and nothing of it is read."""
        direction = withheld.direction
        self._joining.discard(direction)
        found = facts.Hole(self.home.stream, direction.name.lower(), withheld.position, withheld.size, withheld.time, WITHHELD, False, True)
        self._sink.append(facts.hole(found, self.home.session, offset))
        self._reach(direction, withheld.position + withheld.size)

    def close(self, closed: StreamClosed, offset: int) -> None:
        """The stream is over."""
        self._guarded(closed.time, offset, lambda: self._close(closed, offset))
        self._tell_unplaced()

    def _compare(self, chunk: Chunk) -> None:
        """A program may not change what it writes while that is judged. A call that came again in part is not looked at."""
        size, digest = self._judged.pop(chunk.position, (-1, b"")) if chunk.direction is Direction.OUT else (-1, b"")
        if size == len(chunk.data) and digest != _digest(chunk.data):
            self.note(f"what was written at out {chunk.position} is not what was judged")

    def _guarded(self, time: int, offset: int, work: Callable[[], None]) -> None:
        self._last = time, offset
        if self._failed:
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001 - one stream must not take down others
            self._failed = True
            if self._held:
                self._held.failed()
            self.note(f"read no further from out {self.next[0]}, in {self.next[1]}: {place_of(error)}")

    def _reach(self, direction: Direction, position: int) -> None:
        self.next[direction] = max(self.next[direction], position)

    def _feed(self, chunk: Chunk, offset: int, held: bool = False) -> None:
        self._jump(chunk.direction, chunk.position, chunk.time, offset)
        here = self.next[chunk.direction]
        fed = Fed(chunk.direction, chunk.position, len(chunk.data), chunk.time, chunk.data)
        if fed.end > here:
            fed = fed.after(here) if fed.position < here else fed
            self._take(self._give(fed, held), offset)
            if self._opaque and fed.direction is Direction.OUT and self.home.scans():
                self._left(self._gate.taint.opaque(bytes(fed.data or b""), fed.time), offset, opaque=True)

    def _give(self, fed: Fed, held: bool = False) -> list[Event]:
        """To the reader, and remember it until that has settled it."""
        self._behind.add(fed)
        if fed.data is None:
            events = self._reader.lose(fed.direction, fed.size, fed.time, fed.cause)
        else:
            events = self._reader.feed(fed.direction, fed.position, fed.data, fed.time)
        if self._held:
            self._held.heard(fed, events, held)
        elif fed.direction is Direction.IN and not self.next[Direction.OUT] and len(self._early) < EARLY_LIMIT:
            self._early += fed.data or b""
        return events

    def _lose(self, loss: Loss, offset: int) -> None:
        self._jump(loss.direction, loss.position, loss.time, offset)
        end = loss.position + loss.size
        self._skip(loss.direction, end, Why(loss.time, loss.cause), offset)

    def _jump(self, direction: Direction, position: int, time: int, offset: int) -> None:
        """What lies before `position` and has not been here. At the first bytes of a stream joined late, an earlier collector
        had it: nobody lost it."""
        late = direction in self._joining
        self._joining.discard(direction)
        self._skip(direction, position, Why(time, REJOINED if late else str(Cause.UNKNOWN), lost=not late), offset)

    def _skip(self, direction: Direction, end: int, why: Why, offset: int) -> None:
        position = self.next[direction]
        if end > position:
            size = end - position
            told = 0 if end == JOINED and not why.lost else size
            found = facts.Hole(self.home.stream, direction.name.lower(), position, told, why.time, why.cause, why.lost)
            self._sink.append(facts.hole(found, self.home.session, offset))
            self._reach(direction, end)
            self._take(self._give(Fed(direction, position, size, why.time, None, why.cause)), offset)

    def _close(self, closed: StreamClosed, offset: int) -> None:
        for direction, length in ((Direction.OUT, closed.out_position), (Direction.IN, closed.in_position)):
            if self._restored or direction not in self._joining:
                self._jump(direction, length, closed.time, offset)
        self._take(self._reader.close(closed.time), offset)
        self._report(self._exchanges.close(closed.time), offset)

    def _take(self, events: list[Event], offset: int) -> None:
        for event in events:
            if isinstance(event, Unreadable | Resumed):
                if event.direction is Direction.OUT:
                    self._opaque = isinstance(event, Unreadable)
                self._sink.append(facts.hole(_unread(self.home.stream, event), self.home.session, offset))
        self._report(self._exchanges.add(events), offset)

    def _report(self, exchanges: list[Exchange], offset: int) -> None:
        newest = {exchange.position: exchange for exchange in exchanges}
        for exchange in exchanges:
            found = self._calls.take(exchange)
            if _says_less(exchange, newest[exchange.position]):
                continue
            if exchange.position in self._refused:
                self._settle_refused(exchange)
            elif isinstance(found, Call):
                left = self._gate.taint.call(found)
                self._call(self._gate.call(found), offset)
                self._left(left, offset)
            else:
                self._pass(exchange, found, offset)

    def _pass(self, exchange: Exchange, found: NotKubernetes | None, offset: int) -> None:
        if self.home.scans():
            self._left(self._gate.taint.passing(exchange), offset)
        if found is not None:
            masked = self._gate.exchange(found)
            self._append(masked, self._made(masked, offset))

    def _settle_refused(self, exchange: Exchange) -> None:
        if exchange.phase is Phase.END:
            self._refused.discard(exchange.position)

    def _made(self, found: MaskedCall | MaskedExchange, offset: int, more: dict[str, Any] | None = None) -> Row:
        id_, place = call_id(self.home.stream, found.position), self._place(offset)
        kind = Kind.CALL if isinstance(found, MaskedCall) else Kind.EXCHANGE
        document = call_document(found, id_, place) if isinstance(found, MaskedCall) else exchange_document(found, id_, place)
        return self._row(kind, found, document | (more or {}), offset)

    def _append(self, found: MaskedCall | MaskedExchange, row: Row) -> None:
        self._sink.append(row)
        if self._held:
            self._remember(found)

    def _remember(self, found: MaskedCall | MaskedExchange) -> None:
        if found.phase < Phase.END:
            self._open[found.position] = found
        else:
            self._open.pop(found.position, None)

    def _call(self, call: MaskedCall, offset: int) -> None:
        id_, place = call_id(self.home.stream, call.position), self._place(offset)
        self._append(call, self._made(call, offset))
        for piece in call.pieces:
            self._piece(piece, id_, place)
        if call.phase == Phase.END:
            self._ordinals.pop(id_, None)

    def _left(self, secrets: list[Left], offset: int, opaque: bool = False) -> None:
        """Secrets that left, told once it is known where to."""
        for left in secrets:
            self._unplaced.append((left, "" if opaque else call_id(self.home.stream, left.at), offset))
        if self._remote or len(self._unplaced) > UNPLACED or all(left.host for left, *_ in self._unplaced):
            self._tell_unplaced()

    def _tell_unplaced(self) -> None:
        unplaced, self._unplaced = self._unplaced, []
        for left, call, offset in unplaced:
            self._sink.append(
                leak(left, self._gate.named(left.secret), self._gate.text(left.host or self._remote), call, self._place(offset))
            )

    def _row(self, kind: Kind, found: MaskedCall | MaskedExchange, document: dict[str, Any], offset: int) -> Row:
        home, time = self.home, found.started + offset
        return Row(kind, home.session, document["id"], found.phase, found.at, time, document, home.stream, home.process_id)

    def _piece(self, piece: MaskedPiece, call: str, place: Place) -> None:
        self._sink.append(self._piece_row(piece, call, self._ordinal(piece, call), place))

    def _piece_row(self, piece: MaskedPiece, call: str, ordinal: int, place: Place) -> Row:
        """Keyed by direction, position and place among the pieces of that position (several frames may share one)."""
        key = f"{call}/{piece.direction}/{piece.position}/{ordinal}"
        document, time = piece_document(piece, call, place), piece.time + place.offset
        home = self.home
        return Row(Kind.PIECE, home.session, key, Phase.STREAM, piece.position, time, document, home.stream, home.process_id, call)

    def _ordinal(self, piece: MaskedPiece, call: str) -> int:
        """How many pieces of this call came at this position before. Of a direction only its last position is remembered."""
        last = self._ordinals.setdefault(call, {})
        position, count = last.get(piece.direction, (-1, 0))
        count = count + 1 if position == piece.position else 0
        last[piece.direction] = piece.position, count
        return count

    def _place(self, offset: int) -> Place:
        home = self.home
        return Place(home.session, home.stream, {"id": home.process_id} | home.process(), offset)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _says_less(exchange: Exchange, newest: Exchange) -> bool:
    """Whether the end of it came with its answer's head, of which it says all: most answers are short."""
    return exchange.phase is Phase.RESPONSE and newest.phase is Phase.END and exchange.upgraded is None


def _packed(state: dict[str, Any] | None) -> bytes | None:
    return None if state is None else msgpack.packb(state, unicode_errors="surrogatepass")


def _unread(stream: StreamId, event: Unreadable | Resumed) -> facts.Hole:
    place = (stream, event.direction.name.lower(), event.position)
    if isinstance(event, Unreadable):
        return facts.Hole(*place, 0, event.time, event.reason, lost=False)
    return facts.Hole(*place, 0, event.time, f"read on: {event.evidence}", lost=False, known=True)
