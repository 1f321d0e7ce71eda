"""Events of one stream → exchanges: one request and its response, reported as they grow."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Self

from chaperone.collector.wire.events import (
    Ambiguous,
    Closed,
    Data,
    End,
    Event,
    Header,
    Lost,
    Message,
    Protocol,
    Request,
    Reset,
    Response,
    Resumed,
    StrandData,
    StrandOpened,
    StrandReset,
    Unreadable,
    Upgraded,
)
from chaperone.proto.records import Direction

OPEN_LIMIT = 4096  # exchanges of one stream that are open at a time
GAP_LIMIT = 256  # gaps and doubts that one exchange lists
DOUBT_LIMIT = 64
NO_ERROR, CANCEL = 0, 8  # RFC 9113 §7

_PLAIN = (
    "position",
    "started",
    "phase",
    "last",
    "requested",
    "answered",
    "behind",
    "sizes",
    "over",
    "complete",
    "ambiguous",
)


class Phase(IntEnum):
    """How far an exchange is. With a position it is a record's version: later phases replace earlier ones."""

    OPEN = 0  # the request is not complete; nothing is recorded of it yet
    REQUEST = 1  # the request is complete: a decision may be waiting
    RESPONSE = 2  # the response head is there
    STREAM = 3  # its body or channels go on
    END = 4  # over, or cut off


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of this exchange that are missing or could not be read, and why."""

    direction: str  # "out" or "in"
    position: int
    size: int  # 0 when not known
    reason: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as it is now. `news` are its body, channel and end events since the last report, in order.

    `at` is the position that, with `phase`, makes the version: OUT position behind the request for REQUEST, IN position
    behind the head for RESPONSE and behind all for END. For STREAM it is the sum of both, behind the news of either.
    Times are boot-time ns, None until it happened. Sizes count bytes on the stream, framing included where it is
    the exchange's own. `complete` is False once something of it is missing or it was cut off.
    """

    position: int
    phase: Phase
    at: int
    request: Request | None
    response: Response | None
    upgraded: Upgraded | None
    started: int
    requested: int | None
    answered: int | None
    ended: int | None
    bytes_out: int
    bytes_in: int
    complete: bool
    gaps: tuple[Gap, ...] = ()
    ambiguous: tuple[str, ...] = ()
    news: tuple[Event, ...] = ()


@dataclass(slots=True)
class _Open:
    """An exchange that is not over. `outs`, `ins`: positions behind what is known of each direction."""

    position: int
    started: int
    request: Request | None = None
    response: Response | None = None
    upgraded: Upgraded | None = None
    phase: Phase = Phase.OPEN
    last: int = 0  # time of its latest event
    requested: int | None = None
    answered: int | None = None
    behind: list[int] = field(default_factory=lambda: [0, 0])
    sizes: list[int] = field(default_factory=lambda: [0, 0])
    over: list[bool] = field(default_factory=lambda: [False, False])
    complete: bool = True
    gaps: list[Gap] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    news: list[Event] = field(default_factory=list)

    def count(self, direction: Direction, behind: int, size: int) -> None:
        """Bytes of this exchange up to `behind`."""
        self.behind[direction] = max(self.behind[direction], behind)
        self.sizes[direction] += size

    def miss(self, gap: Gap) -> None:
        """Something of it is missing; beyond GAP_LIMIT only that."""
        self.complete = False
        if len(self.gaps) < GAP_LIMIT:
            self.gaps.append(gap)
        elif len(self.gaps) == GAP_LIMIT:
            self.gaps.append(Gap(gap.direction, gap.position, 0, f"more than {GAP_LIMIT} gaps"))

    def _at(self) -> int:
        if self.phase is Phase.STREAM:
            return sum(self.behind)
        return self.behind[Direction.OUT if self.phase <= Phase.REQUEST else Direction.IN]

    def report(self, ended: int | None = None) -> Exchange:
        """As it is now, with the news since the last report."""
        news, self.news = self.news, []
        return Exchange(
            self.position,
            self.phase,
            self._at(),
            self.request,
            self.response,
            self.upgraded,
            self.started,
            self.requested,
            self.answered,
            ended,
            self.sizes[Direction.OUT],
            self.sizes[Direction.IN],
            self.complete,
            tuple(self.gaps),
            tuple(self.ambiguous),
            tuple(news),
        )


class Exchanges:
    """The open exchanges of one stream. At most OPEN_LIMIT: beyond, the oldest ends."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._reports: list[Exchange] = []
        self._touched: dict[int, _Open] = {}

    def add(self, events: list[Event]) -> list[Exchange]:
        """One report for each phase reached, and one of what else is new, per exchange."""
        for event in events:
            if isinstance(event, Request):
                self._begin(event)
            elif (key := getattr(event, "exchange", None)) is None:
                self._doubt_all(event)
            elif exchange := self._open.get(key):
                self._touched[key] = exchange
                exchange.last = max(exchange.last, event.time)
                _STEPS.get(type(event), Exchanges._news)(self, exchange, event)
        return self._taken()

    def begun(self, exchange: int, time: int) -> Exchange | None:
        """An open exchange as it would be if its request ended here; it stays as it is."""
        found = self._open.get(exchange)
        return replace(found.report(), phase=Phase.REQUEST, requested=time, complete=False) if found else None

    def close(self, time: int) -> list[Exchange]:
        """The stream is over: what is open ends here, incomplete."""
        for exchange in list(self._open.values()):
            exchange.complete = False
            self._finish(exchange, time)
        return self._taken()

    def mark(self) -> dict[str, Any]:
        """State to go on from, of msgpack types only. Nothing is held back: all news has been reported."""
        return {"open": [_kept(exchange) for exchange in self._open.values()]}

    @classmethod
    def restore(cls, mark: dict[str, Any]) -> Self:
        """Exchanges that go on from `mark`."""
        exchanges = cls()
        for kept in mark["open"]:
            exchange = _restored(kept)
            exchanges._open[exchange.position] = exchange
        return exchanges

    def _taken(self) -> list[Exchange]:
        for exchange in self._touched.values():
            if exchange.news or exchange.phase == Phase.OPEN:
                self._report(exchange, Phase.STREAM if exchange.phase >= Phase.RESPONSE else exchange.phase)
        self._touched = {}
        reports, self._reports = self._reports, []
        return reports

    def _report(self, exchange: _Open, phase: Phase, ended: int | None = None) -> None:
        exchange.phase = phase
        self._reports.append(exchange.report(ended))

    def _begin(self, event: Request) -> None:
        exchange = _Open(event.exchange, event.time, event)
        exchange.count(Direction.OUT, event.exchange + event.size, event.size)
        self._open[event.exchange] = self._touched[event.exchange] = exchange
        if len(self._open) > OPEN_LIMIT:
            oldest = next(iter(self._open.values()))
            oldest.miss(Gap("in", oldest.behind[Direction.IN], 0, f"more than {OPEN_LIMIT} exchanges open"))
            self._finish(oldest, event.time)

    def _doubt_all(self, event: Event) -> None:
        """Bytes of the stream that cannot be laid to an exchange are missing: any open one may have lost some."""
        if not isinstance(event, Lost | Unreadable):
            return
        for exchange in self._open.values():
            if not exchange.over[event.direction]:
                self._touched[exchange.position] = exchange
                self._miss(exchange, event)

    def _news(self, exchange: _Open, event: Event) -> None:
        if isinstance(event, Request | Response | Upgraded | Resumed):
            return
        exchange.count(event.direction, event.position + _extent(event), getattr(event, "size", 0))
        exchange.news.append(event)

    def _answer(self, exchange: _Open, event: Response) -> None:
        exchange.count(Direction.IN, event.position + event.size, event.size)
        if event.status is not None and 100 <= event.status < 200 and event.status != 101:
            return
        exchange.response, exchange.answered = event, event.time
        if event.status != 101:
            self._report(exchange, Phase.RESPONSE)

    def _upgrade(self, exchange: _Open, event: Upgraded) -> None:
        """The answer to the upgrade is over; what follows are the channels, and both directions end anew."""
        exchange.upgraded, exchange.over = event, [False, False]
        self._report(exchange, Phase.RESPONSE)

    def _end(self, exchange: _Open, event: End) -> None:
        self._news(exchange, event)
        exchange.complete = exchange.complete and event.complete
        exchange.over[event.direction] = True
        if event.direction == Direction.OUT and exchange.upgraded is None:
            exchange.requested = event.time
        if all(exchange.over):
            self._finish(exchange, event.time)
        elif exchange.phase == Phase.OPEN and event.direction == Direction.OUT:
            self._report(exchange, Phase.REQUEST)

    def _reset(self, exchange: _Open, event: Reset) -> None:
        """A client may cancel what it has an answer to; a server may stop reading once it answered (RFC 9113 §8.1)."""
        self._news(exchange, event)
        usual = exchange.response is not None if event.direction == Direction.OUT else exchange.over[Direction.IN]
        code = CANCEL if event.direction == Direction.OUT else NO_ERROR
        exchange.complete = exchange.complete and usual and event.code == code
        self._finish(exchange, event.time)

    def _miss(self, exchange: _Open, event: Lost | Unreadable) -> None:
        """A Lost without a size is about fields of a head: the body is whole."""
        exchange.miss(_gap(event))
        exchange.count(event.direction, event.position + _extent(event), 0)
        if isinstance(event, Unreadable) or event.size:
            exchange.news.append(event)

    def _ambiguous(self, exchange: _Open, event: Ambiguous) -> None:
        if event.reason not in exchange.ambiguous and len(exchange.ambiguous) < DOUBT_LIMIT:
            exchange.ambiguous.append(event.reason)
        exchange.news.append(event)

    def _finish(self, exchange: _Open, time: int) -> None:
        del self._open[exchange.position]
        self._touched.pop(exchange.position, None)
        self._report(exchange, Phase.END, max(time, exchange.last))


_STEPS: dict[type, Callable[[Exchanges, _Open, Any], None]] = {
    Response: Exchanges._answer,
    Upgraded: Exchanges._upgrade,
    End: Exchanges._end,
    Reset: Exchanges._reset,
    Lost: Exchanges._miss,
    Unreadable: Exchanges._miss,
    Ambiguous: Exchanges._ambiguous,
}


def _gap(event: Lost | Unreadable) -> Gap:
    size, reason = (event.size, event.cause or "lost") if isinstance(event, Lost) else (0, event.reason)
    return Gap(event.direction.name.lower(), event.position, size, reason)


def _extent(event: Event) -> int:
    """How far an event reaches behind its position, as far as that is known: a frame of channels is framing and all."""
    if isinstance(event, Data):
        return len(event.data)
    return event.size if isinstance(event, Lost | Message | StrandData | StrandOpened | StrandReset | Closed) else 0


def _kept(exchange: _Open) -> dict[str, Any]:
    kept = {name: getattr(exchange, name) for name in _PLAIN}
    kept |= {name: _fields(value) if (value := getattr(exchange, name)) else None for name in ("request", "response", "upgraded")}
    return kept | {"gaps": [_fields(gap) for gap in exchange.gaps]}


def _fields(value: Request | Response | Upgraded | Gap) -> list[Any]:
    """Of a dataclass with slots, in order. dataclasses.astuple copies all that is in them, too: a third of a mark's time."""
    return [getattr(value, name) for name in value.__slots__]


def _restored(kept: dict[str, Any]) -> _Open:
    exchange = _Open(kept["position"], kept["started"])
    for name in _PLAIN:
        setattr(exchange, name, kept[name])
    exchange.phase = Phase(exchange.phase)
    if request := kept["request"]:
        start, time, protocol, method, target, authority, headers, size = request
        exchange.request = Request(start, time, Protocol(protocol), method, target, authority, _headers(headers), size)
    if response := kept["response"]:
        start, position, time, status, headers, size = response
        exchange.response = Response(start, position, time, status, _headers(headers), size)
    exchange.upgraded = Upgraded(*kept["upgraded"]) if kept["upgraded"] else None
    exchange.gaps = [Gap(*gap) for gap in kept["gaps"]]
    return exchange


def _headers(kept: Iterable[Iterable[str | None]]) -> tuple[Header, ...]:
    return tuple((name, value) for name, value in kept)
