"""A collector's Capture service that decides: each request by a function, its holds by what the composer makes of that."""

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import zstandard
from support.collector_double import CollectorDouble

from chaperone.collector.wire.choose import StreamReader
from chaperone.collector.wire.compose.composer import Composer
from chaperone.collector.wire.compose.units import FAR, Name, Order, Part, Ruling
from chaperone.collector.wire.events import Event, Request
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction, Hold, Loss, Record, unpack

Judge = Callable[[Request], Ruling]
OUT, IN = Direction.OUT, Direction.IN


@dataclass
class Decided:
    """One stream as its holds are decided."""

    judge: Judge
    composer: Composer = field(default_factory=Composer)
    reader: StreamReader = field(default_factory=StreamReader)
    requests: dict[int, Request] = field(default_factory=dict)
    ends: list[int] = field(default_factory=lambda: [0, 0])
    holds_reads: bool = False

    def take(self, direction: Direction, position: int, data: bytes, held: bool) -> bool:
        """Bytes; whether they are news."""
        if position < self.ends[direction]:
            return False
        assert position == self.ends[direction], f"{position} follows {self.ends[direction]}"
        self.ends[direction] += len(data)
        events: list[Event] = self.reader.feed(direction, position, data, 1)
        self.requests |= {event.exchange: event for event in events if isinstance(event, Request)}
        (self.composer.wrote if direction is OUT else self.composer.was_sent)(data, events, held)
        return True

    def decide(self, hold: Hold) -> Iterator[wire.Downward]:
        """What is said about one hold."""
        self.take(hold.direction, hold.position, hold.data, held=True)
        end = hold.position + hold.size
        if hold.direction is OUT:
            self._rule()
        order = (self.composer.order_write if hold.direction is OUT else self.composer.order_read)(hold.position, end)
        if self.composer.holds_reads != self.holds_reads:
            self.holds_reads = not self.holds_reads
            position = self.composer.read if self.holds_reads else FAR
            yield wire.Downward(hold_from=wire.HoldFrom(stream=hold.stream, direction=int(IN), position=position))
        yield wire.Downward(order=message(hold.hold, order))

    def _rule(self) -> None:
        for asked in self.composer.due():
            ruling = self.judge(self.requests[asked.key])
            self.composer.rule(asked.key, ruling)
            if ruling is not None:
                self.reader.replaced(asked.key)


def message(hold: str, order: Order) -> wire.Order:
    """An order of the composer as it is sent."""
    parts = [wire.Part(begin=part.begin, end=part.end, template=part.template, refusal=_refusal(part)) for part in order.parts]
    if order.name is Name.WRITE:
        return wire.Order(hold=hold, write=wire.Write(parts=parts, released=order.released))
    if order.name is Name.ANSWER:
        return wire.Order(hold=hold, answer=wire.Answer(parts=parts, released=order.released))
    return wire.Order(hold=hold, **{str(order.name): getattr(wire, order.name.title())()})


def _refusal(part: Part) -> wire.Refusal | None:
    said = part.refusal
    if said is None:
        return None
    return wire.Refusal(id=said.id, message=said.message, h2_stream=said.h2_stream, credit=said.credit, bodiless=said.bodiless)


class DecidingCollector(CollectorDouble):
    """`judge` is asked of each request. `orders`: what was sent down; `holds`: what was asked."""

    def __init__(self, socket: Path, judge: Judge) -> None:
        super().__init__(socket)
        self.streams: defaultdict[StreamId, Decided] = defaultdict(lambda: Decided(judge))
        self.holds: list[Hold] = []
        self.orders: list[wire.Downward] = []
        self.is_silent = False

    def Stream(self, request_iterator: Iterator[wire.Upward], context: grpc.ServicerContext) -> Iterator[wire.Downward]:  # noqa: N802
        self.hellos.append(next(request_iterator).hello)
        down: queue.SimpleQueue[wire.Downward | None] = queue.SimpleQueue()
        down.put(wire.Downward(welcome=wire.Welcome(contract=1, version="test", next_batch=self._confirmed() + 1)))
        threading.Thread(target=self._listen, args=(request_iterator, down), daemon=True).start()
        while (answer := down.get()) is not None:
            yield answer

    def _listen(self, messages: Iterator[wire.Upward], down: "queue.SimpleQueue[wire.Downward | None]") -> None:
        try:
            for message_ in messages:
                self._keep(message_.batch)
                for record in unpack(zstandard.ZstdDecompressor().decompress(message_.batch.records)):
                    for answer in self._answers(record):
                        self.orders.append(answer)
                        down.put(answer)
                down.put(wire.Downward(ack=wire.Ack(batch=self._confirmed())))
        except grpc.RpcError:
            pass
        finally:
            down.put(None)

    def _answers(self, record: Record) -> Iterator[wire.Downward]:
        if isinstance(record, Hold):
            self.holds.append(record)
            if not self.is_silent:
                yield from self.streams[record.stream].decide(record)
        elif isinstance(record, Chunk):
            self.streams[record.stream].take(record.direction, record.position, record.data, held=False)
        assert not isinstance(record, Loss), record
