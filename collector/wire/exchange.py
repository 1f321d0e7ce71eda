"""Events of one stream → exchanges: one request and its response, reported as they grow."""

from dataclasses import dataclass
from enum import IntEnum

from chaperone.collector.wire.events import Event, Request, Response, Upgraded


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

    `at` is the position that, with `phase`, makes the version: OUT position behind the request for REQUEST, IN
    position behind what is reported for the others (behind the head, behind the news, behind all).
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


class Exchanges:
    """The exchanges of one stream."""

    def add(self, events: list[Event]) -> list[Exchange]:
        """One report for each phase reached, and one of what else is new, per exchange."""
        return []

    def close(self, time: int) -> list[Exchange]:
        """The stream is over: what is open ends here."""
        return []
