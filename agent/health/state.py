"""What the self-probes have shown so far, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

IN_A_ROW = 2  # that failed: one alone may be a machine that is busy
HOPELESS = 10  # that failed: only another agent may help


class Outcome(StrEnum):
    """Of one self-probe."""

    SEEN = "seen"  # what was said over TLS was recorded, whole
    UNSEEN = "unseen"  # it was said, and not recorded in time
    UNDONE = "undone"  # it could not be said


@dataclass(frozen=True, slots=True)
class Health:
    """`failures`: in a row, until now; `seconds`: that the last one took which was seen; `why`: the last one was not."""

    counts: Mapping[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    failures: int = 0
    seconds: float = 0.0
    why: str = "nothing was recorded yet"

    def after(self, outcome: Outcome, seconds: float, why: str = "") -> "Health":
        """With one more."""
        is_seen = outcome is Outcome.SEEN
        counts = {**self.counts, outcome: self.counts[outcome] + 1}
        return replace(
            self, counts=counts, failures=0 if is_seen else self.failures + 1, seconds=seconds if is_seen else self.seconds, why=why
        )

    @property
    def is_ready(self) -> bool:
        """Whether capture really happens."""
        return self.counts[Outcome.SEEN] > 0 and self.failures < IN_A_ROW

    @property
    def is_alive(self) -> bool:
        """Whether it may come to happen again by itself."""
        return self.failures < HOPELESS
