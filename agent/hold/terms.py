"""How a workload is enforced, as the agent is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """`denies`: what becomes of a held call that nobody decides. `covers`: TLS that no probe tells of does not leave. Times in ns."""

    denies: bool = False
    verdict_timeout: int = 2_000_000_000
    hold_limit: int = 10_000_000_000
    covers: bool = False


DENY = "deny"
DEFAULT = Terms()


def in_words(on_failure: str, uncovered: str, verdict_timeout: int, hold_limit: int) -> Terms:
    """As a launcher or a collector says them. A time of 0: the default."""
    limits = verdict_timeout or DEFAULT.verdict_timeout, hold_limit or DEFAULT.hold_limit
    return Terms(on_failure == DENY, *limits, covers=uncovered == DENY)
