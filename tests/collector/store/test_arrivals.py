import time

import pytest
from support.made_rows import call_row

from chaperone.collector.store import arrivals as module
from chaperone.collector.store.arrivals import ALL, Arrivals, lately, settled
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.writer import Writer


def test_numbers_only_grow_whoever_writes(engine: Engine) -> None:
    one, other = Arrivals(engine), Arrivals(engine)
    first = one.first()
    one.took(first, 3)
    assert one.first() > first + 2
    assert other.first() >= (first if engine.is_shared else 1)


def test_one_collector_counts_and_several_go_by_their_clocks(engine: Engine) -> None:
    before = time.time_ns()
    first = Arrivals(engine).first()
    assert (first >= before) if engine.is_shared else (first == 1)
    assert lately(engine) == (module.LATELY_NS if engine.is_shared else module.LATELY_ROWS)


def test_what_is_not_settled_comes_to_nobody_who_follows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED_NS", 3_600_000_000_000)
    writer = Writer(engine, Marks(engine, b"k" * 32))
    writer.append(call_row())
    writer.flush()
    [listed] = ask(engine, "calls.list", "{}")
    followed = ask(engine, "calls.list", '{"after": 0}')
    if engine.is_shared:
        assert followed == [] and listed["cursor"] == pytest.approx(settled(engine)["settled"], abs=60e9)
    else:
        assert len(followed) == 1 and listed["cursor"] == 1 and settled(engine) == {"settled": ALL}
