"""One stream that is held: what its composer is told, the calls that wait for their orders, and why it can't be read, if it can't.

The reader has a held write's bytes before they leave, and a held read's before they are delivered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chaperone.collector.pipeline.behind import Fed
from chaperone.collector.pipeline.instructions import hold_from, killed, ordered
from chaperone.collector.wire.compose.composer import Composer
from chaperone.collector.wire.compose.units import FAR, Name, Order
from chaperone.collector.wire.events import Event, Request, Unreadable
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold

OUT, IN = Direction.OUT, Direction.IN
OPENING = 8192  # bytes within which a request's line must be over
LOST = "bytes are missing"


@dataclass(slots=True)
class HeldStream:
    """`broken`: why nothing more can be read; "" while all is well. `is_foreign`: it is no HTTP at all.
    `is_undeliverable`: an answer has secrets that can't be replaced."""

    stream: StreamId
    composer: Composer = field(default_factory=Composer)
    writes: list[Hold] = field(default_factory=list)
    reads: list[Hold] = field(default_factory=list)
    broken: str = ""
    is_foreign: bool = False
    is_undeliverable: bool = False
    _holds_reads: bool = False
    _unheld: int = 0
    _opening: bytes | None = b""  # what was written first; None once it is known to be HTTP

    @property
    def has_free_channels(self) -> bool:
        """Whether what its channels are sent is not held."""
        return self._unheld == FAR

    def add(self, hold: Hold) -> None:
        """A call waits; the reader has its bytes."""
        (self.writes if hold.direction is OUT else self.reads).append(hold)

    def drop(self, hold: str) -> bool:
        """It waits no more: the agent has decided by itself. False where it did not wait."""
        before = len(self.writes) + len(self.reads)
        self.writes = [each for each in self.writes if each.hold != hold]
        self.reads = [each for each in self.reads if each.hold != hold]
        return len(self.writes) + len(self.reads) < before

    def heard(self, fed: Fed, events: list[Event], held: bool) -> None:
        """The reader was given this, and said that of it."""
        self._open(fed, events)
        if fed.data is None:
            self._break(LOST)
        elif unreadable := next((event for event in events if isinstance(event, Unreadable)), None):
            self.is_foreign = not self.broken and unreadable.direction is OUT and _is_foreign(self._opening)
            self._break(unreadable.reason)
        if fed.data is None:
            return
        if fed.direction is OUT:
            self.composer.wrote(fed.data, events, held)
        else:
            self.composer.was_sent(fed.data, events, held)

    def failed(self) -> None:
        """Nothing is read any more."""
        self._break("it could not be read")

    def _break(self, reason: str) -> None:
        self.broken = self.broken or reason

    def write_orders(self, judged: int | None = None) -> Iterator[pb.Downward]:
        """For all writes that wait. Who is to read an answer that is not the server's is held before what it answers leaves.

        `judged`: up to where rules were asked about what channels were sent, and what is behind it stays; None where no rule asks.
        """
        if judged is not None and self.has_free_channels:
            self._unheld = self.composer.written
            yield hold_from(self.stream, OUT, self._unheld)
        for hold in self.writes:
            order = self.composer.order_write(hold.position, hold.position + hold.size, judged)
            yield from self._reading()
            yield from self._writing(judged is not None)
            yield ordered(hold.hold, order)
        self.writes = []

    def read_orders(self) -> Iterator[pb.Downward]:
        """For the reads whose bytes are here."""
        if problem := self.composer.problem:
            self.broken, self.is_undeliverable = f"an answer could not be masked: {problem}", True
            return
        here = [hold for hold in self.reads if hold.position + hold.size <= self.composer.read]
        for hold in here:
            self.reads.remove(hold)
            order = self.composer.order_read(hold.position, hold.position + hold.size)
            yield from self._reading()
            yield ordered(hold.hold, order)

    def end(self) -> Iterator[pb.Downward]:
        """Its connection ends."""
        for hold in (*self.writes, *self.reads):
            yield killed(hold.hold)
        self.writes, self.reads = [], []

    def free(self) -> Iterator[pb.Downward]:
        """It is held no more: what was gathered leaves."""
        for direction in Direction:
            yield hold_from(self.stream, direction, FAR)
        for hold in self.writes:
            yield ordered(hold.hold, self.composer.give_up(hold.position, hold.position + hold.size))
        for hold in self.reads:
            yield ordered(hold.hold, Order(Name.PASS))
        self.writes, self.reads = [], []

    def _open(self, fed: Fed, events: list[Event]) -> None:
        if any(isinstance(event, Request) for event in events):
            self._opening = None
        elif self._opening is not None and fed.direction is OUT and len(self._opening) < OPENING:
            self._opening += fed.data or b""

    def _reading(self) -> Iterator[pb.Downward]:
        if self.composer.holds_reads != self._holds_reads:
            self._holds_reads = self.composer.holds_reads
            yield hold_from(self.stream, IN, self.composer.read if self._holds_reads else FAR)

    def _writing(self, judges_channels: bool) -> Iterator[pb.Downward]:
        """Writes need not be held up to where nothing will be said of them."""
        unheld = self.composer.unheld
        if unheld > self._unheld and not (unheld == FAR and judges_channels):
            self._unheld = unheld
            yield hold_from(self.stream, OUT, unheld)


def _is_foreign(opening: bytes | None) -> bool:
    """Whether what was written first does not even say that it is HTTP: no HTTP server takes it for a request."""
    return bool(opening) and b"HTTP/" not in (opening or b"").partition(b"\n")[0]
