"""How a workload is enforced, as the agent is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """`denies`: what becomes of a held call that nobody decides. `covers`: TLS that no probe tells of does not leave. Times in ns."""

    denies: bool = False
    verdict_timeout: int = 2_000_000_000
    hold_limit: int = 10_000_000_000
    covers: bool = False
