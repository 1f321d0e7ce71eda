"""The values of composing: what bytes belong together, what was said of their request, and what an order is made of."""

from dataclasses import dataclass
from enum import StrEnum

from chaperone.proto.refusals import Refusal

FAR = 2**63 - 1  # a position that no stream reaches
FREE = -1  # the key of bytes that belong to no request: nothing is said of them
MASKED = -2  # of bytes of an answer in which secrets are still looked for
CREDIT = -3  # of the server's answer to a ping of ours

Ruling = Refusal | None  # None: it may go on. What has no ruling waits for one.


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes within a unit that leave as a template makes them: as many."""

    begin: int
    end: int
    template: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Bytes that leave or stay together, if they may. `key`: position of the first byte of the request they belong to.

    `number`: the h2 stream. `template`: what leaves in their place if the request is refused, "" for nothing. A `block` is a
    header block: both ends' tables ask that it comes whole and in its turn. `overtakes`: may leave before what waits in front.
    `credit`: how much of the connection's window they use. `end` is FAR while it isn't known.
    """

    begin: int
    end: int
    key: int = FREE
    number: int = 0
    template: str = ""
    block: bool = False
    overtakes: bool = False
    credit: int = 0
    edits: tuple[Edit, ...] = ()  # in order


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of the held direction from one position to another, as they are or as the template makes them (capture.proto)."""

    begin: int
    end: int
    template: str = ""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits for its verdict. `whole`: all of it is here. `held`: how many bytes of it are."""

    key: int
    whole: bool = False
    held: int = 0
    number: int = 0
    expects: bool = False  # its client waits for 100 Continue


@dataclass(frozen=True, slots=True)
class Departure:
    """What leaves now, what stays, how much credit was dropped, by key, and in whose place a template left. `is_torn`: the last that
    leaves is the beginning of something."""

    parts: tuple[Part, ...] = ()
    staying: tuple[Unit, ...] = ()
    dropped: tuple[tuple[int, int], ...] = ()
    refused: tuple[int, ...] = ()
    is_torn: bool = False


class Name(StrEnum):
    """What an order has its thread do (capture.proto)."""

    PASS = "pass"
    SKIP = "skip"
    WRITE = "write"
    ANSWER = "answer"
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do about one held call. `released`: what was gathered below is needed no more."""

    name: Name
    parts: tuple[Part, ...] = ()
    released: int = 0
