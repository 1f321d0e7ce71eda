"""Guards say no only where CEL would."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.judged_events import body, call
from support.policies import EXAMPLE, rules

from chaperone.collector.ingest.policies import DEFAULT, read_policies
from chaperone.collector.rules.condition import answer, compiled
from chaperone.collector.rules.evaluate import Facts
from chaperone.collector.rules.guards import guards
from chaperone.collector.rules.ruleset import arranged
from chaperone.collector.rules.verdict import Moment

TEXTS = frozenset({"call.verb", "call.resource", "call.subresource"})
PODS = ("call.resource", frozenset({"pods"}))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('call.resource == "pods"', [PODS]),
        ("call.resource == 'pods' && target.privileged", [PODS]),
        ('target.privileged && (call.verb in ["get", "list"] && (call.resource == "pods"))', None),
        ('((call.resource == "pods" // " || "\n)) && call.write', [PODS]),
        ('call.resource == "pods" || call.write', []),
        ('call.write ? call.resource == "pods" : true', []),
        ('!(call.resource == "pods")', []),
        ('(call.resource == "pods") == false', []),
        ('call.resource != "pods" && call.verb == call.resource', []),
        ('call.command == "pods" && call.resource == "a\\"b"', []),
        ('call.resource == "po" + "ds"', []),
        ('call.resource in ["pods", call.verb]', []),
    ],
)
def test_only_what_must_hold_is_a_guard(condition: str, found: list[tuple[str, frozenset[str]]] | None) -> None:
    expected = [("call.verb", frozenset({"get", "list"})), PODS] if found is None else found
    assert list(guards(condition, TEXTS)) == expected


RULES = [*arranged(read_policies([DEFAULT])), *rules(EXAMPLE)]
TEXT = st.sampled_from(["", "pods", "secrets", "exec", "get", "create", "watch", "roles", "nodes", "proxy", "kube-system", "delete"])
CHANGED = st.dictionaries(st.sampled_from(["verb", "resource", "subresource", "namespace", "name"]), TEXT)


@settings(max_examples=40, deadline=None)
@given(CHANGED, st.sampled_from([100, 200, 403, None]), st.booleans())
def test_no_answer_is_another_with_guards(changed: dict[str, str], code: int | None, whole: bool) -> None:
    facts = Facts(call(Moment.END, code=code, requestBody=body({"spec": {}}, complete=whole), **changed))
    for rule in RULES:
        with_guards, without = answer(rule.when, facts), answer(replace(rule.when, guards=()), facts)
        assert with_guards == without, rule.name


def test_the_default_pack_is_mostly_guarded() -> None:
    assert sum(bool(rule.when.guards) for rule in RULES) > 20
    assert compiled('call.verb == "get"', {}).guards == (("call.verb", frozenset({"get"})),)
