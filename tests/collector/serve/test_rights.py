from chaperone.collector.serve.rights import NEEDS, Where
from chaperone.collector.store.queries import QUESTIONS


def test_every_question_of_the_store_has_a_need() -> None:
    assert set(QUESTIONS) <= set(NEEDS)


def test_a_need_that_hangs_on_a_parameter_is_of_a_question_that_takes_it() -> None:
    for name, need in NEEDS.items():
        if need.where is not Where.EVERYWHERE:
            assert str(need.where) in QUESTIONS[name][1]
