"""What the kernel carried against what was captured, in bytes. Says `complete` only where the arithmetic is exact.

TLS 1.3 hides its handshake, tickets and alerts in application-type records. Outwards the client's Finished (its size is known)
ends the handshake; inwards all before it is the server's. What remains beyond the plaintext must be exactly: tickets, which are
the first records of a server; a closing alert, the last record of 2 bytes; or, inwards, last records that nobody read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import gcd

from chaperone.agent.sockets.suite import Suite
from chaperone.agent.sockets.values import Flow
from chaperone.proto.records import Direction

TICKETS = 4  # at most, before a server's first answer
ALERT = 2
TAG = 16  # what a record of 1.3 has beyond its content, the content's type and padding
ENOUGH = 3  # records that show how they are rounded
SMALLEST_BLOCK = 16
KEY_UPDATE = 5  # bytes of its message, RFC 8446 §4.6.3


@dataclass(frozen=True, slots=True)
class Plaintext:
    """Bytes of one direction of the TLS objects on a connection: that went through them, and that were captured.

    `tied`: there is such an object. Without one, bytes that could be tickets are taken for what they could be as well: data.
    `early`: of those that went out, what was sent before the handshake was over.
    """

    reached: int = 0
    captured: int = 0
    tied: bool = True
    early: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """`state`: complete, gap or unproven; `app`: application bytes that the kernel carried; `why`: of unproven."""

    state: str
    app: int
    gap: int = 0
    why: str = ""

    def __str__(self) -> str:
        if self.state == "gap":
            return f"gap: {self.gap} bytes"
        return f"{self.state}: {self.why}" if self.why else self.state


def coverage(direction: Direction, flow: Flow, suite: Suite, plain: Plaintext) -> Coverage:
    """Compare one direction."""
    if flow.broken:
        return Coverage("unproven", 0, why=flow.broken)
    if flow.records == 0:
        return _compared(0, plain, "")
    if suite.overhead < 0:
        return Coverage("unproven", 0, why=f"record sizes of this cipher are not exact ({suite.version or 'version unknown'})")
    sizes = _Sizes(flow, suite)
    if direction is Direction.OUT and suite.finished and sizes.finished_at < 0:
        return Coverage("unproven", sizes.app, why="the client's Finished was not recognised")
    if direction is Direction.IN and plain.early:
        return Coverage("unproven", sizes.app, why="behind 0-RTT data a server's handshake can't be told from its answers")
    return _judged(direction, sizes, plain)


def client_bytes(out: Flow, suite: Suite) -> int:
    """Application bytes that a client sent, a closing alert left out; 0 where that can't be said."""
    if out.broken or not out.records or suite.overhead < 0:
        return 0
    sizes = _Sizes(out, suite)
    return 0 if sizes.hidden and sizes.finished_at < 0 else sizes.without_handshake() - sizes.closing


class _Sizes:
    """Plaintext sizes of a direction's records, behind the handshake."""

    def __init__(self, flow: Flow, suite: Suite) -> None:
        self.hidden = bool(suite.finished)
        first = [size - suite.overhead for size in flow.first]
        self.last = [size - suite.overhead for size in flow.last]
        self.finished_at = first.index(suite.finished) if suite.finished in first else -1
        self.count = flow.records - flow.handshake_records
        self.app = flow.bytes - flow.handshake - suite.overhead * self.count
        self.first = first
        self.block = gcd(*(size - TAG for size in (*flow.first, *flow.last))) if self.hidden and self.count >= ENOUGH else 0

    @property
    def closing(self) -> int:
        """The size of its last record if that may be a closing alert, else 0. A server may have said nothing behind its handshake."""
        return ALERT if self.hidden and self.last[-1:] == [ALERT] else 0

    def padding(self) -> int:
        """Fewer bytes than this may be padding (RFC 8446 §5.4): the sizes of the records show how they are rounded. 0: they do not."""
        return self.block * self.count if self.block >= SMALLEST_BLOCK else 0

    def without_handshake(self) -> int:
        """Application bytes of a client: all behind its Finished."""
        return self.app - sum(self.first[: self.finished_at + 1]) if self.hidden else self.app


def _judged(direction: Direction, sizes: _Sizes, plain: Plaintext) -> Coverage:
    app = sizes.without_handshake() + plain.early if direction is Direction.OUT else sizes.app
    for extra, why in _explanations(direction, sizes) if plain.tied else ():
        if app - plain.reached == extra:
            return _compared(app - extra, plain, why)
    if plain.tied and plain.captured == plain.reached and 0 < app - plain.reached < sizes.padding():
        return Coverage("unproven", app, why=f"records are padded to multiples of {sizes.block} bytes")
    return _compared(app, plain, "")


def _explanations(direction: Direction, sizes: _Sizes) -> Iterator[tuple[int, str]]:
    """(bytes that are no plaintext, why that is not certain), the likeliest first."""
    tickets = [0, *accumulate(sizes.first[:TICKETS])] if sizes.hidden and direction is Direction.IN else [0]
    for ticket in tickets:
        yield ticket, ""
        yield ticket + sizes.closing, ""
    if direction is Direction.IN:
        yield from _unread(sizes, tickets)
    if sizes.hidden:
        updates = (ticket + KEY_UPDATE * number for ticket in tickets for number in (1, 2, 3, 4))
        yield from ((size + closing, "keys were updated") for size in updates for closing in (0, sizes.closing))


def _unread(sizes: _Sizes, tickets: list[int]) -> Iterator[tuple[int, str]]:
    for count, left in enumerate(accumulate(reversed(sizes.last)), 1):
        for number, ticket in enumerate(tickets):
            if count + number <= sizes.count:
                yield ticket + left, f"{left} bytes came last that no read returned"


def _compared(app: int, plain: Plaintext, why: str) -> Coverage:
    missing = max(app, plain.reached) - plain.captured
    if app < plain.reached:
        return Coverage("unproven", app, why=f"{plain.reached - app} bytes more went through TLS than were carried")
    if missing:
        return Coverage("gap", app, missing)
    return Coverage("unproven" if why else "complete", app, why=why)
