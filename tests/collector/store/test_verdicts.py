from support.judged_events import call, egress
from support.policies import EXAMPLE, rules

from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.memory import Memory
from chaperone.collector.store.rows import Kind
from chaperone.collector.store.verdicts import Sitting, judgement, sitting_row, verdict_row

EXEC = call(resource="pods", subresource="exec", name="web")
NOW = 1_767_323_040_000_000_000


def test_a_verdict_is_tied_to_call_session_and_process_and_lands_on_itself() -> None:
    (verdict,), _ = evaluate(rules(EXAMPLE), Memory(), EXEC)
    row = verdict_row(verdict, EXEC, NOW, "abc", "why not")
    assert row == verdict_row(verdict, EXEC, NOW, "abc", "why not")
    assert (row.kind, row.session, row.call, row.stream, row.process) == (Kind.VERDICT, "5" * 32, "c" * 32, "a" * 32, "p")
    assert row.document["about"]["verb"] == "get" and row.document["unknown"] == ["target.privileged"]
    assert row.document["time"] == "2026-01-02T03:04:00.000000000Z"


def test_two_rules_or_two_moments_are_two_verdicts() -> None:
    both = rules("- {name: a, when: 'true', do: alert}\n- {name: b, when: 'true', do: alert}")
    found, _ = evaluate(both, Memory(), call())
    assert len({verdict_row(verdict, call(), NOW, "", "").id for verdict in found}) == 2


def test_an_egress_says_where_to() -> None:
    (verdict,), _ = evaluate(rules("- {name: a, when: egress.external, do: alert}"), Memory(), egress("evil.test:443"))
    row = verdict_row(verdict, egress("evil.test:443"), NOW, "", "")
    assert (row.call, row.document["about"], row.document["subject"]) == ("", {"host": "evil.test:443"}, "egress")


def test_a_sitting_is_known_by_its_first_event() -> None:
    first, second = judgement(EXEC, NOW), judgement(egress("x"), NOW + 5)
    one, other = Sitting("s", "w", "abc", (first,)), Sitting("s", "w", "abc", (first, second))
    assert sitting_row(one).id == sitting_row(other).id != sitting_row(Sitting("s", "w", "abc", (second,))).id
    assert (sitting_row(other).time, sitting_row(other).document["events"][1][0]) == (NOW + 5, "egress")
