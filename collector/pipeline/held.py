"""One stream that is held: what its composer is told, the calls that wait for their orders, and why it can't be read, if it can't.

The reader has a held write's bytes before they leave, and a held read's before they are delivered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chaperone.collector.pipeline.behind import Fed
from chaperone.collector.pipeline.instructions import hold_from, ordered
from chaperone.collector.wire.compose.composer import Composer
from chaperone.collector.wire.compose.units import FAR
from chaperone.collector.wire.events import Event, Unreadable
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold

OUT, IN = Direction.OUT, Direction.IN


@dataclass(slots=True)
class HeldStream:
    """`broken`: why no order but the end of the connection is possible; "" while all is well."""

    stream: StreamId
    composer: Composer = field(default_factory=Composer)
    writes: list[Hold] = field(default_factory=list)
    reads: list[Hold] = field(default_factory=list)
    broken: str = ""
    _holds_reads: bool = False

    def add(self, hold: Hold) -> None:
        """A call waits; of a write the reader has the bytes."""
        (self.writes if hold.direction is OUT else self.reads).append(hold)

    def drop(self, hold: str) -> bool:
        """It waits no more: the agent has decided by itself. False where it did not wait."""
        before = len(self.writes) + len(self.reads)
        self.writes = [each for each in self.writes if each.hold != hold]
        self.reads = [each for each in self.reads if each.hold != hold]
        return len(self.writes) + len(self.reads) < before

    def heard(self, fed: Fed, events: list[Event], held: bool) -> None:
        """The reader was given this, and said that of it."""
        lost = "bytes are missing" if fed.data is None else ""
        self.broken = self.broken or lost or next((event.reason for event in events if isinstance(event, Unreadable)), "")
        if self.broken or fed.data is None:
            return
        if fed.direction is OUT:
            self.composer.wrote(fed.data, events, held)
        else:
            self.composer.was_sent(fed.data, events, held)

    def failed(self) -> None:
        """Nothing is read any more."""
        self.broken = self.broken or "it could not be read"

    def write_orders(self) -> Iterator[pb.Downward]:
        """For all writes that wait. Who is to read an answer that is not the server's is held before what it answers leaves."""
        for hold in self.writes:
            order = self.composer.order_write(hold.position, hold.position + hold.size)
            yield from self._reading()
            yield ordered(hold.hold, order)
        self.writes = []

    def read_orders(self) -> Iterator[pb.Downward]:
        """For the reads whose bytes are here."""
        here = [hold for hold in self.reads if hold.position + hold.size <= self.composer.read]
        for hold in here:
            self.reads.remove(hold)
            order = self.composer.order_read(hold.position, hold.position + hold.size)
            yield from self._reading()
            yield ordered(hold.hold, order)

    def _reading(self) -> Iterator[pb.Downward]:
        if self.composer.holds_reads != self._holds_reads:
            self._holds_reads = self.composer.holds_reads
            yield hold_from(self.stream, IN, self.composer.read if self._holds_reads else FAR)
