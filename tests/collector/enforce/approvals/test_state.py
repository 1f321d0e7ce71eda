from itertools import product

from chaperone.collector.enforce.approvals.state import OPEN, TABLE, State, Step, after


def test_only_the_steps_of_the_table_can_be_taken() -> None:
    assert all(after(state, step) == TABLE.get((state, step)) for state, step in product(State, Step))
    assert {state for state, _ in TABLE} == OPEN, "an end is an end"


def test_nothing_is_used_that_was_not_approved() -> None:
    assert [state for state in State if after(state, Step.USE)] == [State.APPROVED]
    assert [state for state in State if after(state, Step.APPROVE) is State.APPROVED] == [State.PENDING]


def test_every_state_but_the_first_can_be_reached() -> None:
    reached, news = {State.PENDING}, {State.PENDING}
    while news:
        news = {found for state, step in product(news, Step) if (found := after(state, step))} - reached
        reached |= news
    assert reached == set(State)
