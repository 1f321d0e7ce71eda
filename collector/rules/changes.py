"""What one event changed in a memory, as plain lists: they are stored beside the verdicts, and folded again after a restart.

[policy, rule, print, whose, what …] where what is "count", time, amount, value; "clear"; "arm", until; or "disarm". Older than the
rules' horizon nothing matters, so what is folded is bounded by it. A rule that is gone or judges otherwise now (by its print) has
nothing to remember.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chaperone.collector.rules import memory as remember
from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.memory import Key, Memory, Tick

Change = list[Any]
Named = Mapping[tuple[str, str], tuple[Rule, str]]  # (policy, rule) → rule and its print


def changes(before: Memory, after: Memory, named: Named) -> list[Change]:
    """How `after` came from `before` by one event."""
    if before is after:
        return []
    found = [(key, what) for key, what in (*_windows(before, after), *_waiting(before, after))]
    return [[key[0], key[1], named[key[0], key[1]][1], key[2], *what] for key, what in found]


def folded(memory: Memory, told: Iterable[Change], named: Named) -> Memory:
    """The memory with these changes once more."""
    for policy, rule, mark, whose, what, *values in told:
        known = named.get((policy, rule))
        if known and known[1] == mark:
            memory = _APPLY[what](memory, (policy, rule, whose), known[0].window.within_ns, values)
    return memory


def kept(memory: Memory, old: Named, new: Named) -> Memory:
    """What goes on when rules are replaced: what rules remember that judge as before."""
    same = {name for name, (_, mark) in old.items() if name in new and new[name][1] == mark}
    windows = {key: ticks for key, ticks in memory.windows.items() if key[:2] in same}
    return Memory(windows, {key: until for key, until in memory.armed.items() if key[:2] in same})


def _windows(before: Memory, after: Memory) -> Iterator[tuple[Key, list[Any]]]:
    for key, ticks in after.windows.items():
        if ticks is not before.windows.get(key):
            yield key, ["count", ticks[-1].time, ticks[-1].amount, ticks[-1].value]
    for key in before.windows:
        if key not in after.windows:
            yield key, ["clear"]


def _waiting(before: Memory, after: Memory) -> Iterator[tuple[Key, list[Any]]]:
    for key, until in after.armed.items():
        if before.armed.get(key) != until:
            yield key, ["arm", until]
    for key in before.armed:
        if key not in after.armed:
            yield key, ["disarm"]


def _count(memory: Memory, key: Key, within_ns: int, values: list[Any]) -> Memory:
    return remember.counted(memory, key, Tick(*values), within_ns)[0]


_APPLY: dict[str, Callable[[Memory, Key, int, list[Any]], Memory]] = {
    "count": _count,
    "clear": lambda memory, key, within_ns, values: remember.cleared(memory, key),
    "arm": lambda memory, key, within_ns, values: remember.armed(memory, key, values[0]),
    "disarm": lambda memory, key, within_ns, values: remember.disarmed(memory, key),
}
