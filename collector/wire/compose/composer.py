"""One stream of an enforced workload: what its holds are ordered, from what was said of its requests. No I/O, no clock.

Told all bytes of both directions in order, held or not, each with the events that the reader made of them; asked for the
order of a held call once all that could be said of its bytes was. Orders are those of docs/hold.md: a request is
gathered (`skip`) until its verdict, then leaves in the write that completes it, whole or as its refusal; what the server
says to the refusal is replaced in the client's reads (`answer`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from chaperone.collector.wire.compose.answers1 import Http1Answers
from chaperone.collector.wire.compose.answers2 import Http2Answers
from chaperone.collector.wire.compose.leave import leaving, left
from chaperone.collector.wire.compose.masked import MaskedAnswer
from chaperone.collector.wire.compose.requests1 import Http1Requests
from chaperone.collector.wire.compose.requests2 import WITHDRAWN, Http2Requests
from chaperone.collector.wire.compose.spans import Scanners
from chaperone.collector.wire.compose.units import FAR, FREE, Asked, Departure, Name, Order, Part, Ruling, Unit
from chaperone.collector.wire.events import Event
from chaperone.collector.wire.http2 import PREFACE
from chaperone.proto.refusals import Refusal

PING = "http2-ping"
CREDIT_AT = 32 * 1024  # half of the smallest window: so much of it is given back without a refusal
GATHER_LIMIT = 1024 * 1024  # bytes of requests that wait for their verdicts; beyond, the oldest is judged without its rest


class _Units(Protocol):
    """Either direction of either protocol."""

    units: list[Unit]
    rulings: dict[int, Ruling]

    @property
    def end(self) -> int: ...
    @property
    def border(self) -> int: ...
    def settle(self) -> None: ...


class Composer:
    """From the first byte of a stream on. `is_plain`: answers must not be compressed."""

    def __init__(self, is_plain: bool = False) -> None:
        self._is_plain = is_plain
        self._begin = b""  # what came while it was not known which protocol it is
        self._early: list[Event] = []
        self._read = bytearray()  # and from the server
        self._requests: Http1Requests | Http2Requests | None = None
        self._answers: Http1Answers | Http2Answers = Http1Answers()
        self._owed = 0  # credit that no answer could give back yet

    @property
    def holds_reads(self) -> bool:
        """Whether what the server sends must be held from where it is now."""
        return self._answers.is_busy

    @property
    def problem(self) -> str:
        """Why an answer cannot be delivered; "" while all can."""
        return self._answers.problem

    def mask(self, key: int, scanners: Scanners) -> None:
        """Replace the secrets that are found in the answer to this request, which may go on."""
        if isinstance(self._answers, Http2Answers):
            assert self._requests is not None, "nothing was asked"
            self._answers.mask(key, self._requests.number_of(key), MaskedAnswer(scanners))
        else:
            self._answers.mask(key, MaskedAnswer(scanners))

    @property
    def waits(self) -> bool:
        """Whether a held write must stay as it is: what its bytes are is told by the answer to an upgrade."""
        return isinstance(self._requests, Http1Requests) and self._requests.waits

    @property
    def written(self) -> int:
        """Behind all bytes that the client wrote."""
        return self._requests.end if self._requests else len(self._begin)

    @property
    def read(self) -> int:
        """Behind all bytes that the server sent."""
        return self._answers.end

    def wrote(self, data: bytes, events: list[Event], held: bool = True) -> None:
        """The client's next bytes."""
        if self._requests is None:
            data, self._early = self._choose(data), [*self._early, *events]
            events = self._early
        if self._requests is None:
            return
        self._requests.feed(data)
        self._hear(events)
        if not held:
            self._requests.leave(self._requests.end)

    def was_sent(self, data: bytes, events: list[Event], held: bool = False) -> None:
        """The server's next bytes."""
        if self._requests is None:
            self._read += data
            return
        self._answers.feed(data)
        self._hear(events)
        self._answers.settle()
        if not held:
            self._answers.leave(self._answers.end)

    def due(self, is_slow: bool = False) -> Iterator[Asked]:
        """Each request that waits for its verdict now, once: whole ones, and those of which the rest can't be waited for. What was said of
        one counts for the next: what leaves for it may not be enough. `is_slow`: the oldest that is not whole waited long enough."""
        late, seen = self.begun if is_slow else None, set[int]()
        while due := [each for each in self._due(late) if each.key not in seen]:
            seen.update(each.key for each in due)
            yield from due

    @property
    def begun(self) -> int | None:
        """The oldest request that waits for its verdict and is not whole."""
        return next((each.key for each in self._requests.asked() if not each.whole), None) if self._requests else None

    def rule(self, key: int, ruling: Ruling) -> None:
        """What was said of a request."""
        assert self._requests is not None, "nothing was asked"
        if ruling is not None:
            ruling = replace(ruling, h2_stream=self._requests.number_of(key))
        self._requests.rule(key, ruling)

    def order_write(self, begin: int, end: int, judged: int | None = None) -> Order:
        """What becomes of a held write of these positions, the last that came. `judged`: how far channels may leave, None for all."""
        if self._requests is None:
            return Order(Name.SKIP)
        requests = self._requests
        if isinstance(requests, Http1Requests):
            requests.open(judged)
        departure, released = _depart(requests)
        self._await_answers(requests.rulings, departure)
        departure = self._pinging(departure, end)
        requests.settle()
        return _order((Name.PASS, Name.WRITE, Name.SKIP), departure, (begin, end, released))

    def give_up(self, begin: int, end: int) -> Order:
        """A held write, and all that was gathered before it, leaves as the client wrote it. Nothing is composed any more."""
        if self._requests is None:
            return Order(Name.PASS) if begin == 0 else Order(Name.WRITE, (Part(0, end),), end)
        side = self._requests
        side.units = [replace(unit, key=FREE, template="", block=False, overtakes=False) for unit in side.units]
        side.units += left([Unit(side.border, FAR)], side.border) if side.border < end else []
        departure, released = _depart(side)
        return _order((Name.PASS, Name.WRITE, Name.SKIP), departure, (begin, end, released))

    @property
    def unheld(self) -> int:
        """From where on writes must be held: ahead of what came where a request that may go on says how long it is."""
        return self._requests.unheld if isinstance(self._requests, Http1Requests) else 0

    def order_read(self, begin: int, end: int) -> Order:
        """What becomes of a held read."""
        if not self._answers.is_busy and all(unit.begin >= begin for unit in self._answers.units):
            self._answers.leave(self._answers.end)
            return Order(Name.PASS)
        self._answers.loosen()
        departure, released = _depart(self._answers)
        if isinstance(self._requests, Http2Requests):
            for part in departure.parts:
                self._requests.window.credited(part.refusal.credit if part.refusal else 0)
        self._answers.settle()
        return _order((Name.PASS, Name.ANSWER, Name.AGAIN), departure, (begin, end, released))

    def _choose(self, data: bytes) -> bytes:
        """Which protocol it is; the bytes that can be read as it."""
        self._begin += data
        if self._begin.startswith(PREFACE):
            self._requests = Http2Requests(self._is_plain)
            self._answers = Http2Answers(self._requests.window)
        elif not PREFACE.startswith(self._begin):
            self._requests = Http1Requests(self._is_plain)
        if self._requests is not None:
            self._answers.feed(bytes(self._read))
            self._answers.leave(self._answers.end)
            self._read.clear()
        return self._begin

    def _hear(self, events: list[Event]) -> None:
        if isinstance(self._requests, Http1Requests):
            self._requests.hear(events)
        self._answers.hear(events)

    def _due(self, late: int | None) -> list[Asked]:
        """Those that can't be waited for are judged by their heads: up to the last whose rest may never come while it waits, since none
        leaves before the heads in front of it; the oldest, if it is late or no more can come or be kept."""
        asked = self._requests.asked() if self._requests else []
        begun = [each for each in asked if not each.whole]
        hopeless = [at for at, each in enumerate(begun, 1) if each.expects or self._is_shut(each)]
        if begun and not hopeless and (begun[0].key == late or self._is_full(asked)):
            hopeless = [1]
        heads = begun[: max(hopeless, default=0)]
        return [each for each in asked if each.whole or each in heads]

    def _is_shut(self, begun: Asked) -> bool:
        return isinstance(self._requests, Http2Requests) and self._requests.window.is_shut(begun.number)

    def _is_full(self, asked: list[Asked]) -> bool:
        """Whether no more can come, or be kept, while all stays that has no verdict."""
        if sum(each.held for each in asked) >= GATHER_LIMIT:
            return True
        if not isinstance(self._requests, Http2Requests):
            return False
        departure = leaving(self._requests.units, self._requests.rulings, self._requests.end)
        staying = sum(unit.credit for unit in departure.staying) + sum(size for _, size in departure.dropped)
        return self._requests.window.is_full(self._owed + staying)

    def _await_answers(self, rulings: dict[int, Ruling], departure: Departure) -> None:
        """Those in whose place a template left get their answers; credit goes with them."""
        for key in departure.refused:
            refusal = rulings[key]
            if isinstance(refusal, Refusal) and refusal.id != WITHDRAWN.id:
                self._answers.await_answer(key, replace(refusal, credit=self._owed))
                self._owed = 0
        for key, size in departure.dropped:
            if not self._answers.credit(key, size):
                self._owed += size

    def _pinging(self, departure: Departure, end: int) -> Departure:
        """Credit that waits for no answer to a request gets one of its own, else a long upload that was refused would use up what all
        h2 streams of its connection may send."""
        answers = self._answers
        if self._owed < CREDIT_AT or departure.is_torn or not isinstance(answers, Http2Answers) or answers.owes:
            return departure
        answers.await_credit(self._owed)
        self._owed = 0
        return replace(departure, parts=(*departure.parts, Part(end, end, PING, Refusal("credit"))))


def _depart(side: _Units) -> tuple[Departure, int]:
    """What leaves of one direction, and from where on bytes are still needed."""
    departure = leaving(side.units, side.rulings, side.end)
    side.units = list(departure.staying)
    here = [unit.begin for unit in side.units if unit.begin < side.end]
    return departure, min([*here, side.border, side.end])


def _order(names: tuple[Name, Name, Name], departure: Departure, place: tuple[int, int, int]) -> Order:
    begin, end, released = place
    whole, composed, nothing = names
    if [(part.begin, part.end, part.template) for part in departure.parts] == [(begin, end, "")]:
        return Order(whole)
    return Order(nothing) if not departure.parts and released < end else Order(composed, departure.parts, released)
