"""One direction of a framed protocol behind a 101: where its bytes are, what is missing, and where frames begin again.

It knows no frame format; a `Framing` does (websocket, spdy). A hole inside a payload of known length is skipped; any
other hole makes the direction unreadable until two frames in a row can be recognised, which is said as `Resumed`.
Memory of one direction: PART_LIMIT, SEEK_LIMIT and one chunk.
"""

import re
from collections.abc import Generator
from enum import StrEnum
from typing import Protocol

from chaperone.collector.wire.buffer import Buffer, Hole, Malformed
from chaperone.collector.wire.events import End, Event, Lost, Resumed, Unreadable
from chaperone.collector.wire.gather import Nothing, Sink
from chaperone.proto.records import Cause, Direction

SEEK_LIMIT = 256 * 1024  # bytes held while looking for a frame's beginning; a frame above this is not recognised
TORN = "a hole hides where frames begin"

Parsing = Generator[None, None, None]


class TornError(Exception):
    """Bytes are missing, a frame's end among them: where the next one begins is not known."""


class State(StrEnum):
    """What a direction does with its next byte."""

    FRAMES = "frames"
    SEEKING = "seeking"  # a frame's beginning
    OVER = "over"  # nothing: it could not be read


class Framing(Protocol):
    """What one direction needs to know of its protocol."""

    hint: re.Pattern[bytes]  # where a frame might begin
    evidence: str  # why two frames in a row are believed

    def frame(self) -> Parsing:
        """Wait for one frame and say what it brought."""
        ...

    def plausible(self, held: bytearray, at: int) -> int | None:
        """Offset behind the frame that begins at `at`; 0: none can begin here; None: more bytes are needed to tell."""
        ...

    def forget(self) -> bool:
        """Frames are missing from here on: hand over what is half gathered. Was there anything?"""
        ...


class Framed:
    """One direction: bytes in, events out."""

    def __init__(self, exchange: int, direction: Direction, position: int) -> None:
        self.exchange, self.direction = exchange, direction
        self.buffer = Buffer(position)
        self.time = 0
        self.torn = False  # frames are missing
        self.state = State.FRAMES
        self._begun = position  # where the frame being parsed begins
        self._accounted = position  # up to here events have said their size
        self._events: list[Event] = []

    def start(self, framing: Framing, state: State = State.FRAMES) -> None:
        """Begin to parse, or go on in `state`."""
        self._framing, self.state = framing, state
        self._parser = self._frames()
        next(self._parser, None)

    @property
    def end(self) -> int:
        """Position behind everything that came."""
        return self.buffer.position + len(self.buffer.held)

    @property
    def between(self) -> bool:
        """Has nothing of a frame been claimed? Then `buffer.position` is all there is to save."""
        return self.buffer.position == self.begun

    @property
    def begun(self) -> int:
        """Position where the frame begins that is not whole; behind everything that was claimed where none is, or none can be read."""
        return self._begun if self.state is State.FRAMES else self.buffer.position

    @property
    def unsaid(self) -> int:
        """Bytes claimed that no event has counted yet."""
        return self.buffer.position - self._accounted

    def owe(self, unsaid: int) -> None:
        """Bytes claimed before the first one here, by another reader, that no event has counted."""
        self._accounted -= unsaid

    def feed(self, position: int, data: bytes, time: int) -> list[Event]:
        """Take bytes from `position` on. Those below what came are skipped; a jump is Lost first."""
        self.time = time
        if position > self.end:
            self._throw(Hole(position - self.end, Cause.UNKNOWN))
        self.buffer.add(memoryview(data)[self.end - position :])
        self._go_on()
        return self._said()

    def lose(self, size: int, time: int, cause: str) -> list[Event]:
        """`size` bytes are missing behind what came."""
        self.time = time
        if size > 0:
            self._throw(Hole(size, cause))
        return self._said()

    def tear(self, time: int) -> list[Event]:
        """Nobody knows how many bytes are missing; whoever carried them has said so."""
        self.time = time
        self._throw(TornError())
        return self._said()

    def close(self, time: int) -> list[Event]:
        """No more comes: half a frame is handed over as it is."""
        self.time = time
        complete = not self._framing.forget() and self.state is State.FRAMES and self.end == self._begun
        self.buffer.skip(0)
        end = End(self.exchange, self.direction, self.end, time, complete, self.account())
        self.state = State.OVER
        return [*self._said(), end]

    def say(self, event: Event) -> None:
        """An event, to be returned by the call that brought its last byte."""
        self._events.append(event)

    def account(self) -> int:
        """How many bytes were claimed since this was last asked: the size of the event about to be said."""
        size = self.unsaid
        self._accounted = self.buffer.position
        return size

    def payload(self, size: int, sink: Sink) -> Parsing:
        """Hand `size` bytes to `sink` as they come, holes included."""
        while size > 0:
            try:
                data = yield from self.buffer.some(min(size, sink.room()))
                size -= len(data)
                sink.take(data)
            except Hole as hole:
                sink.skip(min(hole.size, size))
                size -= hole.size
                self._miss(hole)
        if size < 0:
            raise TornError

    def bridge(self, hole: Hole, size: int) -> Parsing:
        """`hole` came while `size` bytes were waited for: drop what there is of them, and wait for the frame's end."""
        rest = size - len(self.buffer.held) - hole.size
        self._miss(hole)
        if rest < 0:
            raise TornError
        yield from self.payload(rest, Nothing())

    def _go_on(self) -> None:
        next(self._parser, None)
        if self.state is State.OVER:
            self.buffer.skip(0)

    def _throw(self, error: Hole | TornError) -> None:
        if self.state is not State.OVER:
            self._parser.throw(error)
        elif isinstance(error, Hole):
            self._miss(error)

    def _said(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _miss(self, hole: Hole) -> None:
        self.say(Lost(self.exchange, self.direction, self.end, hole.size, self.time, hole.cause))
        self.buffer.skip(hole.size)
        self._accounted += hole.size

    def _unreadable(self, reason: str) -> None:
        self.say(Unreadable(self.exchange, self.direction, self.buffer.position, self.time, reason))

    def _frames(self) -> Parsing:
        while self.state is not State.OVER:
            self._begun = self.buffer.position
            try:
                yield from self._seek() if self.state is State.SEEKING else self._framing.frame()
                self.state = State.FRAMES
            except (Hole, TornError) as gap:
                self._tear(gap)
            except Malformed as error:
                self._fail(str(error))
        yield  # whoever threw finds a parser that waits

    def _tear(self, gap: Hole | TornError) -> None:
        self._framing.forget()
        if isinstance(gap, Hole):
            self._miss(gap)
        self.buffer.skip(0)
        if self.state is State.FRAMES:
            self._unreadable(TORN)
        self.torn, self.state = True, State.SEEKING

    def _fail(self, reason: str) -> None:
        self._framing.forget()
        self._unreadable(reason)
        self.state = State.OVER

    def _seek(self) -> Parsing:
        """Wait until two frames in a row can be told from anything else."""
        while not self._found():
            yield
        self.say(Resumed(self.direction, self.buffer.position, self.time, self._framing.evidence))

    def _found(self) -> bool:
        """Drop what no frame can begin in. Does one begin at what is left?"""
        held, at, fits = self.buffer.held, 0, None
        while hint := self._framing.hint.search(held, at):
            at = hint.start()
            fits = self._fits(at)
            if fits or (fits is None and len(held) - at < SEEK_LIMIT):
                break
            at += 1
        self.buffer.drop(at if hint else len(held))
        return bool(hint and fits)

    def _fits(self, at: int) -> int | None:
        following = self._framing.plausible(self.buffer.held, at)
        return following and self._framing.plausible(self.buffer.held, following)
