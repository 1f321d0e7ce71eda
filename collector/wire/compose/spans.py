"""Secret bytes of a body, and what stands in their place: as many, so that no length on the way has to change."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

STARS = "stars"
STARS64 = "stars64-"  # and the phase in a group of four characters
LAST_OF_ONE = "stars64-g"  # the second character of a last group that stands for one byte


class Fill(StrEnum):
    """What the value's readers take: any text, or base64."""

    STARS = "stars"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a body, of one whole value. `padding`: how many `=` it ends with."""

    begin: int
    end: int
    fill: Fill = Fill.STARS
    padding: int = 0


class Scanner(Protocol):
    """Looks for secrets in a body as it comes."""

    @property
    def settled(self) -> int:
        """All of the body below is known."""
        ...

    @property
    def problem(self) -> str:
        """Why this body cannot be read; "" while it can."""
        ...

    def feed(self, data: bytes) -> list[Span]:
        """The next bytes: what became known."""
        ...

    def finish(self) -> list[Span]:
        """That was all."""
        ...


Scanners = Callable[[str], Scanner]  # by content type


def templates(span: Span, begin: int, end: int) -> list[tuple[int, int, str]]:
    """What makes the bytes of a piece of a value: from, to, template. The piece lies within the span."""
    if span.fill is Fill.STARS:
        return [(begin, end, STARS)]
    special = span.end - 3 if span.padding == 2 else -1
    cuts = sorted({begin, end, *(cut for cut in (special, special + 1) if begin < cut < end)})
    return [(first, last, LAST_OF_ONE if first == special else f"{STARS64}{(first - span.begin) % 4}") for first, last in pairwise(cuts)]
