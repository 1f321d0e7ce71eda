"""The age of what waits, from very little."""

from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.deliver.ages import STEP_NS, Ages


@given(st.lists(st.integers(0, 3 * STEP_NS), min_size=1, max_size=40), st.lists(st.integers(0, 41), max_size=6))
def test_the_oldest_that_waits_is_told_to_the_second(pauses: list[int], acks: list[int]) -> None:
    ages, began = Ages(), [sum(pauses[:number]) for number in range(1, len(pauses) + 1)]
    for number, began_ns in enumerate(began, 1):
        ages.begin(number, began_ns)
    for through in sorted(acks):
        ages.forget(through, len(began))
        oldest = ages.oldest_ns()
        if through >= len(began):
            assert oldest is None
        else:
            assert oldest is not None and began[through] - STEP_NS < oldest <= began[through]


def test_what_begins_after_everything_was_taken_has_its_own_age() -> None:
    ages = Ages()
    ages.begin(1, 100)
    ages.forget(1, 1)
    ages.begin(2, 200)
    assert ages.oldest_ns() == 200


def test_a_second_costs_the_same_whatever_it_made() -> None:
    ages = Ages()
    for number in range(1, 20_001):
        ages.begin(number, number * STEP_NS // 20)
    assert len(ages._numbers) <= 1001
