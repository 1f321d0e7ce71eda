"""What became of one try to deliver a message, and when to try again."""

import random
from dataclasses import dataclass, field
from enum import StrEnum

BASE_S = 1.0
CAP_S = 600.0
ASKED_CAP_S = 3600.0  # a receiver may ask for this much patience
_DOUBLINGS = 20


class Fate(StrEnum):
    """SENT: it has it. LATER: the receiver can't now. REFUSED: the receiver won't have this message."""

    SENT = "sent"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`why`: one sentence without address, key or content. `retry_after_s`: what the receiver asked for. `said`: the beginning of its
    answer. `handle`: what it calls the message, which can be rewritten by that; "" where it can't."""

    fate: Fate
    why: str
    retry_after_s: float | None = None
    said: bytes = field(default=b"", repr=False, compare=False)
    handle: str = ""


def delay_s(attempts: int, retry_after_s: float | None, dice: random.Random) -> float:
    """Before the next try: doubling, with jitter, never sooner than the receiver asked for."""
    highest = min(CAP_S, BASE_S * 2 ** min(attempts, _DOUBLINGS))
    asked = min(max(retry_after_s or 0.0, 0.0), ASKED_CAP_S)
    return asked + dice.uniform(highest / 2, highest) * (0.1 if asked else 1.0)
