"""Each workload in its turn, each workload's own in their order."""

import pytest

from chaperone.agent.gate.turns import Turns


def test_one_with_many_waiting_takes_no_turn_of_others() -> None:
    turns: Turns[str] = Turns()
    for name in ("a1", "a2", "a3", "b1", "a4", "c1", "c2"):
        turns.put(ord(name[0]), name)
    assert [turns.take() for _ in range(7)] == ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]
    assert not turns


def test_who_comes_later_waits_for_one_turn_of_each() -> None:
    turns: Turns[str] = Turns()
    for number in range(100):
        turns.put(1, f"flood {number}")
    assert turns.take() == "flood 0"
    turns.put(2, "other")
    assert turns
    assert [turns.take(), turns.take()] == ["flood 1", "other"]


def test_where_nobody_waits_nobody_is_taken() -> None:
    turns: Turns[str] = Turns()
    assert not turns
    with pytest.raises(IndexError):
        turns.take()
