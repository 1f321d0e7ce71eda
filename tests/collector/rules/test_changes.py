"""What changed in a memory, told and folded again, gives the same memory."""

import json

from hypothesis import given
from hypothesis import strategies as st
from support.judged_events import body, call, egress
from support.policies import EXAMPLE, rules

from chaperone.collector.rules.changes import changes, folded, kept
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import Memory
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
    for kind, second in chosen:
        happened = event(kind, second)
        before = memory
        _, memory = evaluate(ARRANGED.at(happened), memory, happened)
        told = json.loads(json.dumps(changes(before, memory, NAMED)))
        again = folded(again, told, NAMED)
    assert again == memory


def test_a_rule_that_judges_otherwise_now_has_nothing_to_remember() -> None:
    happened = event(2, 1)
    _, memory = evaluate(ARRANGED.at(happened), Memory(), happened)
    told = changes(Memory(), memory, NAMED)
    other = named(ruleset(rules(EXAMPLE) + rules(COUNTS.replace("count: 3", "count: 4"))))
    assert len(told) == 1 and folded(Memory(), told, other) == Memory()
    assert kept(memory, NAMED, other) == Memory() and kept(memory, NAMED, NAMED) == memory
