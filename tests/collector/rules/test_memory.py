"""Memory is a value and stays bounded."""

from chaperone.collector.rules.memory import ENTRIES, KEYS, Memory, Tick, armed, cleared, counted, disarmed

KEY = ("p", "r", "w")


def test_only_what_is_within_the_window_counts_and_the_old_value_stays_as_it_was() -> None:
    first, total, _ = counted(Memory(), KEY, Tick(0, 5), 10)
    _, later, _ = counted(first, KEY, Tick(10, 1), 10)
    assert (total, later, first.windows[KEY]) == (5, 1, (Tick(0, 5),))


def test_memory_is_bounded() -> None:
    memory = Memory()
    for time in range(ENTRIES + 10):
        memory, _, _ = counted(memory, KEY, Tick(time, 1), 10**9)
    assert len(memory.windows[KEY]) == ENTRIES
    for number in range(KEYS + 10):
        memory = armed(memory, ("p", "r", str(number)), 1)
    assert len(memory.armed) == KEYS


def test_a_window_starts_anew_and_waiting_ends() -> None:
    memory = armed(counted(Memory(), KEY, Tick(0, 1), 1)[0], KEY, 9)
    assert disarmed(cleared(memory, KEY), KEY) == Memory()
