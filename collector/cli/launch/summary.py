"""The one line at the end of a run: what was recorded, whether that is everything, how to see it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNITS = ("B", "KB", "MB", "GB", "TB")
SHORT_ID = 8  # hex digits: enough to name a session in a store, as git does with commits


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the store has of a session."""

    calls: int
    bytes: int
    missing: tuple[str, ...] = ()
    verdicts: Mapping[str, int] = field(default_factory=dict)  # of each action
    not_carried_out: int = 0  # of those that should have had an effect


@dataclass(frozen=True, slots=True)
class Ending:
    """All that the line is made of. `recorded`: None if the store could not be asked. `store`: as named by the user."""

    session: str
    recorded: Recorded | None
    troubles: tuple[str, ...] = ()
    left: int = 0
    store: Path | None = None


def line(ending: Ending) -> str:
    """The line, without its end."""
    recorded, short = ending.recorded, ending.session[:SHORT_ID]
    counts = [counted(recorded.calls, "call"), readable(recorded.bytes)] if recorded else []
    left = [f"{counted(ending.left, 'process', 'es')} still running, no longer recorded"] if ending.left else []
    store = f"--store {shlex.quote(str(ending.store))} " if ending.store else ""
    counts += judged(recorded) if recorded else []
    parts = [f"session {short}", *counts, completeness(ending), *left, f"replay with: chaperone replay {store}{short}"]
    return "chaperone: " + " · ".join(parts)


def judged(recorded: Recorded) -> list[str]:
    """`2 alerts, 1 deny (not carried out)`: what rules said, the strictest last."""
    found = [counted(count, action) if action == "alert" else f"{count:,} {action}" for action, count in recorded.verdicts.items()]
    undone = f" ({recorded.not_carried_out:,} not carried out)" if recorded.not_carried_out else ""
    return [", ".join(found) + undone] if found else []


def completeness(ending: Ending) -> str:
    """`complete`, or what is missing."""
    missing = [*ending.troubles, *(ending.recorded.missing if ending.recorded else ())]
    if ending.recorded is None and not missing:
        missing.append("the store could not be asked")
    return f"incomplete: {'; '.join(dict.fromkeys(missing))}" if missing else "complete"


def counted(number: int, thing: str, plural: str = "s") -> str:
    """1 call, 2 calls."""
    return f"{number:,} {thing}{'' if number == 1 else plural}"


def readable(size: int) -> str:
    """Bytes in decimal units with two significant places: 812 B, 4.1 KB, 12 MB."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit and value < 9.95 else f"{value:.0f} {UNITS[unit]}"


def shortened(parts: Sequence[str], limit: int = 65536) -> tuple[str, ...]:
    """The first arguments that fit into the limit; an ellipsis says that there were more."""
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + 1
        if size > limit:
            return (*kept, "…")
        kept.append(part)
    return tuple(kept)
