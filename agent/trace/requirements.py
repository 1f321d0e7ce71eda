"""Can this machine be recorded? What is missing, one sentence each, with the command that provides it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`what` is missing, and the command or change that `fix`es it."""

    what: str
    fix: str


def problems() -> list[Problem]:
    """Every reason why the agent could not start here; empty on a machine that can."""
    return []
