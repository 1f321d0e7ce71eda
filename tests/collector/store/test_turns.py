from support.made_rows import call_row

from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.turns import Standing, Turns
from chaperone.collector.store.writer import Writer


def written(engine: Engine, next_batch: int, turn: int) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    writer.append(call_row())
    writer.advance("a", next_batch, turn)
    writer.flush()


def test_an_agent_that_goes_elsewhere_is_taken_over_as_far_as_the_store_is(engine: Engine) -> None:
    one, other = Turns(engine), Turns(engine)
    first = one.begin("a", 1)
    assert first == Standing(1, is_taken_over=engine.is_shared)
    written(engine, 5, one.of("a"))
    assert one.begin("a", 2) == Standing(5)
    assert other.begin("a", 3) == Standing(5, is_taken_over=engine.is_shared)
    written(engine, 7, other.of("a"))
    assert one.begin("a", 4) == Standing(7, is_taken_over=engine.is_shared)


def test_what_the_one_before_still_writes_counts_no_more(engine: Engine) -> None:
    if not engine.is_shared:
        return
    one, other = Turns(engine), Turns(engine)
    one.begin("a", 1)
    other.begin("a", 2)
    written(engine, 3, other.of("a"))
    written(engine, 9, one.of("a"))
    assert Turns(engine).last("a") == (2, 3)


def test_agents_that_do_not_count_their_calls_have_turns_too(engine: Engine) -> None:
    one = Turns(engine)
    for _ in range(2):
        one.begin("a", 0)
    assert one.of("a") == (2 if engine.is_shared else 0)
