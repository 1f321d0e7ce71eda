"""What changed in a memory, told and folded again, gives the same memory."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st
from support.judged_events import body, call, egress
from support.policies import EXAMPLE, rules

from chaperone.collector.rules.changes import changes, folded, kept, valid
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import ENTRIES, Memory
from chaperone.collector.rules.ruleset import named, ruleset
from chaperone.collector.rules.verdict import Moment

COUNTS = '- {name: three, when: call.verb == "get", count: 3, within: 20s, do: alert}\n'
ARRANGED = ruleset([*rules(EXAMPLE), *rules(COUNTS)])
NAMED = named(ARRANGED)


def event(kind: int, second: int) -> Event:
    if kind == 0:
        return egress("x", second)
    items = body({"kind": "SecretList", "items": [{}] * kind})
    return call(Moment.END if kind > 3 else Moment.REQUEST, second, responseBody=items)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 59)), max_size=25))
def test_changes_folded_give_the_same_memory(chosen: list[tuple[int, int]]) -> None:
    memory = again = Memory()
    everything = []
    for kind, second in chosen:
        happened = event(kind, second)
        before = memory
        _, memory = evaluate(ARRANGED.at(happened), memory, happened)
        told = json.loads(json.dumps(changes(before, memory, NAMED)))
        again = folded(again, valid(told, NAMED))
        everything += told
    assert again == memory == folded(Memory(), valid(everything, NAMED))


def test_a_rule_that_judges_otherwise_now_has_nothing_to_remember() -> None:
    happened = event(2, 1)
    _, memory = evaluate(ARRANGED.at(happened), Memory(), happened)
    told = changes(Memory(), memory, NAMED)
    other = named(ruleset(rules(EXAMPLE) + rules(COUNTS.replace("count: 3", "count: 4"))))
    assert len(told) == 1 and folded(Memory(), valid(told, other)) == Memory()
    assert kept(memory, NAMED, other) == Memory() and kept(memory, NAMED, NAMED) == memory


def test_as_many_changes_as_a_restarted_collector_may_find_are_folded_within_seconds() -> None:
    named_ = next((name, mark) for name, (_, mark) in NAMED.items() if name[1] == "three")
    told = [[*named_[0], named_[1], str(number % 10), "count", number, 1, ""] for number in range(200_000)]
    began = time.process_time()
    memory = folded(Memory(), valid(told, NAMED))
    assert time.process_time() - began < 5, "seconds of processor: not the square of their number"
    assert {len(ticks) for ticks in memory.windows.values()} == {ENTRIES} and len(memory.windows) == 10
    assert [ticks[-1].time for ticks in memory.windows.values()] == [*range(199_990, 200_000)]
