"""What rules remember of a session, as a value: who counted what when, and what a rule waits for. Bounded.

Over the limits the oldest goes; then a count may be too low, never too high.
"""

from dataclasses import dataclass, field, replace

ENTRIES = 2_000  # of one rule's window
KEYS = 1_000  # rules times those they count by

Key = tuple[str, str, str]  # policy, rule, whose


@dataclass(frozen=True, slots=True)
class Tick:
    """`amount` things at one time; `value`: of the word `distinct`."""

    time: int
    amount: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Windows by key, and until when (ns) a rule waits for its `then`. Never changed: every change is a new value."""

    windows: dict[Key, tuple[Tick, ...]] = field(default_factory=dict)
    armed: dict[Key, int] = field(default_factory=dict)


def counted(memory: Memory, key: Key, tick: Tick, within_ns: int) -> tuple[Memory, int, int]:
    """With one more tick: the memory, the sum of amounts and the number of different values within the window."""
    kept = (*(old for old in memory.windows.get(key, ()) if tick.time - within_ns < old.time), tick)[-ENTRIES:]
    others = {name: ticks for name, ticks in memory.windows.items() if name != key}
    if len(others) >= KEYS:
        others.pop(next(iter(others)))
    total = sum(old.amount for old in kept)
    return replace(memory, windows={**others, key: kept}), total, len({old.value for old in kept})


def cleared(memory: Memory, key: Key) -> Memory:
    """A window that was full starts anew."""
    return replace(memory, windows={name: ticks for name, ticks in memory.windows.items() if name != key})


def armed(memory: Memory, key: Key, until: int) -> Memory:
    """A rule waits for its `then`."""
    others = {name: time for name, time in memory.armed.items() if name != key}
    if len(others) >= KEYS:
        others.pop(next(iter(others)))
    return replace(memory, armed={**others, key: until})


def disarmed(memory: Memory, key: Key) -> Memory:
    """It waits no longer."""
    return replace(memory, armed={name: time for name, time in memory.armed.items() if name != key})
