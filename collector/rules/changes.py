"""What one event changed in a memory, as plain lists: they are stored beside the verdicts, and folded again after a restart.

[policy, rule, print, whose, what …] where what is "count", time, amount, value; "clear"; "arm", until; or "disarm". Older than the
rules' horizon nothing matters, so what is folded is bounded by it. A rule that is gone or judges otherwise now (by its print) has
nothing to remember.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.memory import ENTRIES, KEYS, Key, Memory, Tick

Change = list[Any]
Valid = tuple[int, Change]
Windows = dict[Key, list[Tick]]
Armed = dict[Key, int]
Named = Mapping[tuple[str, str], tuple[Rule, str]]  # (policy, rule) → rule and its print


def changes(before: Memory, after: Memory, named: Named) -> list[Change]:
    """How `after` came from `before` by one event."""
    if before is after:
        return []
    found = [(key, what) for key, what in (*_windows(before, after), *_waiting(before, after))]
    return [[key[0], key[1], named[key[0], key[1]][1], key[2], *what] for key, what in found]


def valid(told: Iterable[Change], named: Named) -> Iterator[Valid]:
    """Those changes that these rules still remember, and each rule's window (ns)."""
    for change in told:
        known = named.get((change[0], change[1]))
        if known and known[1] == change[2]:
            yield known[0].window.within_ns, change


def folded(memory: Memory, told: Iterable[Valid]) -> Memory:
    """The memory with these changes once more. Each is a step of constant time, since there may be many."""
    windows, armed = {key: list(ticks) for key, ticks in memory.windows.items()}, dict(memory.armed)
    within: dict[Key, int] = {}
    for within_ns, (policy, rule, _, whose, what, *values) in told:
        key = policy, rule, whose
        within[key] = within_ns
        _APPLY[what](windows, armed, key, values)
    cut = {key: _within(ticks, within[key]) if key in within else tuple(ticks) for key, ticks in windows.items()}
    return Memory(dict(list(cut.items())[-KEYS:]), dict(list(armed.items())[-KEYS:]))


def _within(ticks: list[Tick], within_ns: int) -> tuple[Tick, ...]:
    """Those that no later one left behind."""
    found: list[Tick] = []
    newest = ticks[-1].time
    for tick in reversed(ticks[-ENTRIES:]):
        if tick.time > newest - within_ns or not found:
            found.append(tick)
        newest = max(newest, tick.time)
    return tuple(reversed(found))


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


def _count(windows: Windows, armed: Armed, key: Key, values: list[Any]) -> None:
    windows[key] = ticks = windows.pop(key, [])
    ticks.append(Tick(*values))


def _clear(windows: Windows, armed: Armed, key: Key, values: list[Any]) -> None:
    windows.pop(key, None)


def _arm(windows: Windows, armed: Armed, key: Key, values: list[Any]) -> None:
    armed.pop(key, None)
    armed[key] = values[0]


def _disarm(windows: Windows, armed: Armed, key: Key, values: list[Any]) -> None:
    armed.pop(key, None)


_APPLY: dict[str, Callable[[Windows, Armed, Key, list[Any]], None]] = {"count": _count, "clear": _clear, "arm": _arm, "disarm": _disarm}
