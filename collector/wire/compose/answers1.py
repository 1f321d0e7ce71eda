"""What a server of HTTP/1.1 sends, as units: each answer one, from behind the one before it. Cut where the reader says.

The reader must know what really left in a refused request's place (`Http1Reader.replaced`): its answer is that request's.
The refusal is delivered once the answer's head is there; the rest of that answer is dropped as it comes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from chaperone.collector.wire.compose.leave import left
from chaperone.collector.wire.compose.masked import MaskedAnswer
from chaperone.collector.wire.compose.units import FAR, FREE, MASKED, Ruling, Unit
from chaperone.collector.wire.events import Data, End, Event, Request, Response, Upgraded
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal

TEMPLATE = "http1-forbidden"


class Http1Answers:
    """From the first byte of a connection on."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.rulings: dict[int, Ruling] = {FREE: None}
        self.end = 0  # behind all bytes that came
        self._behind = 0  # behind the last answer that is over
        self._queue: deque[int] = deque()  # requests without a whole answer
        self._refused: dict[int, Refusal] = {}  # those of them that were refused
        self._masked: dict[int, MaskedAnswer] = {}  # those in whose answers secrets are replaced

    @property
    def border(self) -> int:
        """Behind what is known of them: what no request asked for is not kept back."""
        return self.end

    @property
    def is_busy(self) -> bool:
        """Whether reads must be held: somebody waits for an answer, or something stays."""
        return bool(self._refused or self._masked) or any(unit.key != FREE or unit.edits for unit in self.units)

    @property
    def problem(self) -> str:
        """Why nothing more can be delivered."""
        return next((masked.problem for masked in self._masked.values() if masked.problem), "")

    def mask(self, key: int, masked: MaskedAnswer) -> None:
        """Replace secrets in the answer to this request."""
        if key in self._queue:
            self._masked[key] = masked

    def await_answer(self, key: int, refusal: Refusal) -> None:
        """A refused request leaves now, as a harmless one. One that has its answer already gets no other."""
        if key in self._queue:
            self._refused[key] = refusal

    def credit(self, _key: int, _size: int) -> bool:
        """There are no windows."""
        return True

    def feed(self, data: bytes) -> None:
        """Bytes that follow: the reader has had them."""
        self.end += len(data)

    def hear(self, events: list[Event]) -> None:
        """What the reader said of them, or of the requests."""
        for event in events:
            if isinstance(event, Request):
                self._queue.append(event.exchange)
            elif isinstance(event, Upgraded):
                self._free()
            elif isinstance(event, Response) and event.status is not None and event.status >= 200:
                self._head(event)
            elif isinstance(event, Data) and event.direction is Direction.IN and event.exchange in self._masked:
                self._masked[event.exchange].data(event)
            elif isinstance(event, End) and event.direction is Direction.IN and self._queue and event.exchange == self._queue[0]:
                self._over(event)

    def leave(self, position: int) -> None:
        """All below was delivered unheld."""
        self.units = left(self.units, position)

    def loosen(self) -> None:
        """What no request asked for is not kept back."""

    def settle(self) -> None:
        """Of what waits for a head, or for what is behind it, make a unit; forget what nothing asks for any more."""
        if self.end > self._behind and self._queue:
            self._current()
        self.units = [part for unit in self.units for part in self._looked_through(unit)]
        needed = {FREE, *(unit.key for unit in self.units)}
        self.rulings = {key: ruling for key, ruling in self.rulings.items() if key in needed}

    def _current(self) -> None:
        """The answer that comes now. It may pass unless its request was refused."""
        if not any(unit.end == FAR for unit in self.units):
            key = self._queue[0]
            is_refused = key in self._refused
            kind = key if is_refused else MASKED if key in self._masked else FREE
            self.units.append(Unit(self._behind, FAR, kind, template=TEMPLATE if is_refused else ""))

    def _head(self, event: Response) -> None:
        """A final answer's head is there: if it is the answer to what left for a refused request, the refusal can be delivered."""
        self._current()
        if event.exchange in self._refused:
            self.rulings[event.exchange] = self._refused.pop(event.exchange)
        elif event.exchange in self._masked:
            self._masked[event.exchange].head(event)

    def _over(self, event: End) -> None:
        key = self._queue.popleft()
        self._refused.pop(key, None)
        self._behind = event.position
        self.units = [replace(unit, end=event.position) if unit.end == FAR else unit for unit in self.units]
        if (masked := self._masked.get(key)) is not None:
            masked.end()
            if not masked.problem:
                self.units = [self._known(unit, masked) for unit in self.units]
                del self._masked[key]

    def _looked_through(self, unit: Unit) -> Iterator[Unit]:
        """Of an answer in which secrets are looked for, what is known and what isn't."""
        masked = self._masked.get(self._queue[0]) if unit.key == MASKED and self._queue else None
        until = min(masked.settled, self.end) if masked and not masked.problem else unit.begin
        if masked and masked.is_over and not masked.problem:
            yield replace(unit, key=FREE)
        elif masked and until > unit.begin:
            yield self._known(replace(unit, end=until), masked)
            yield replace(unit, begin=until)
        else:
            yield unit

    def _known(self, unit: Unit, masked: MaskedAnswer) -> Unit:
        return replace(unit, key=FREE, edits=masked.taken(unit.end)) if unit.key == MASKED else unit

    def _free(self) -> None:
        self._queue.clear()
        self.units = [*(unit for unit in self.units if unit.end != FAR), Unit(self._behind, FAR)]
