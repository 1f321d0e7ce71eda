"""What rules say: unknown facts, windows, what must follow, exceptions, and that nothing else counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.judged_events import body, call, egress, piece
from support.policies import EXAMPLE, rules

from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.evaluate import evaluate, explain
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.verdict import Action, Moment, Verdict

EXEC = {"resource": "pods", "subresource": "exec", "name": "web"}
SECRETS = body({"kind": "SecretList", "items": [{"metadata": {}}] * 500})


def said(text: str, *events: Event) -> list[str]:
    return [verdict.rule for verdict in verdicts(rules(text), *events)]


def verdicts(loaded: tuple[Rule, ...], *events: Event) -> list[Verdict]:
    memory, found = Memory(), []
    for event in events:
        more, memory = evaluate(loaded, memory, event)
        found += more
    return found


def test_an_exec_into_a_pod_that_nobody_looked_up_is_denied_by_the_example() -> None:
    (verdict,) = verdicts(rules(EXAMPLE), call(**EXEC))
    assert (verdict.action, verdict.rule) == (Action.DENY, "no-privileged-exec")
    assert verdict.message == "exec into privileged pod default/web by /usr/bin/kubectl"
    assert verdict.evidence.unknown == ("target.privileged",)


def test_a_list_of_500_secrets_counts_500_and_needs_an_egress_to_fire() -> None:
    listed = call(Moment.END, verb="list", responseBody=SECRETS)
    assert said(EXAMPLE, listed) == []
    assert said(EXAMPLE, listed, egress("example.org:443", 1)) == ["secret-surge-then-egress"]


def test_the_same_list_is_one_call() -> None:
    listed = call(Moment.END, verb="list", responseBody=SECRETS)
    assert said(EXAMPLE.replace("objects", "calls").replace("call.code < 300", "call.objects > 0"), listed, egress("x", 1)) == []


def test_an_egress_before_the_surge_or_too_late_says_nothing() -> None:
    listed = call(Moment.END, 30, verb="list", responseBody=SECRETS)
    assert said(EXAMPLE, egress("x", 1), listed) == []
    assert said(EXAMPLE.replace("within: 5m", "within: 5s"), listed, egress("x", 50)) == []


def test_nine_gets_are_not_ten_and_a_tenth_too_late_does_not_help() -> None:
    gets = [call(Moment.END, second, responseBody=body({"kind": "Secret"})) for second in range(10)]
    late = call(Moment.END, 59, responseBody=body({"kind": "Secret"}))
    assert said(EXAMPLE, *gets[:9], egress("x", 20)) == []
    assert said(EXAMPLE, *gets, egress("x", 20)) == ["secret-surge-then-egress"]
    assert said(EXAMPLE.replace("60s", "20s"), *gets[:9], late, egress("x", 59)) == []


def test_each_event_of_a_watch_is_an_object() -> None:
    watched = [piece("event", "{}", second, verb="watch") for second in range(10)]
    assert said(EXAMPLE, *watched, egress("x", 20)) == ["secret-surge-then-egress"]


def test_distinct_counts_different_values() -> None:
    rule = "- {name: a, when: call.verb == 'get', count: 3, within: 1m, distinct: call.name, do: alert}"
    assert said(rule, *[call(name="same")] * 5) == []
    assert said(rule, *[call(name=name) for name in "abc"]) == ["a"]


@pytest.mark.parametrize(
    ("do", "extra", "fires"),
    [
        ("deny", "", True),
        ("approve", "", True),
        ("alert", "", False),
        ("alert", ", onUnknown: match", True),
        ("deny", ", onUnknown: skip", False),
    ],
)
def test_an_unknown_fact_makes_deny_and_approve_match_and_alerts_not(do: str, extra: str, fires: bool) -> None:
    assert bool(said(f"- {{name: a, when: target.privileged, do: {do}{extra}}}", call(**EXEC))) is fires


def test_a_key_that_an_object_lacks_is_no_unknown_fact() -> None:
    sent = {"verb": "create", "resource": "pods", "requestBody": body({"spec": {}})}
    assert said("- {name: a, when: call.body.spec.hostPID, do: deny}", call(**sent)) == []


def test_a_body_that_was_not_kept_whole_is_unknown() -> None:
    sent = {"verb": "create", "resource": "pods", "requestBody": body({"spec": {}}, complete=False)}
    assert said("- {name: a, when: call.body.spec.hostPID, do: deny}", call(**sent)) == ["a"]


def test_a_condition_that_would_run_for_ever_is_unknown() -> None:
    huge = body({"l": list(range(3000))})
    rule = "- {name: a, when: 'call.body.l.all(a, call.body.l.all(b, a + b >= 0))', do: deny}"
    assert said(rule, call(requestBody=huge)) == ["a"]


def test_an_exception_needs_a_service_account_known_from_the_api() -> None:
    rule = "- {name: a, when: 'true', do: alert, exceptions: [{serviceAccount: 'ci:*'}]}"
    known = call()
    known.session["lookedUp"] = {"serviceAccount": "ci:builder"}  # type: ignore[index]
    assert said(rule, known) == []
    assert said(rule, call(user="system:serviceaccount:ci:builder", userSource="claimed")) == ["a"]


def test_the_strictest_verdict_comes_first() -> None:
    text = "- {name: a, when: 'true', do: alert}\n- {name: m, when: 'true', do: mask}\n- {name: d, when: 'true', do: deny}"
    assert said(text, call()) == ["d", "m", "a"]


def test_a_rule_is_judged_at_its_own_moment_only() -> None:
    rule = "- {name: a, when: call.code == 200, do: alert}"
    assert said(rule, call(Moment.REQUEST), call(Moment.RESPONSE), call(Moment.END)) == ["a"]


def test_channel_rules_read_what_a_channel_brought() -> None:
    rule = '- {name: a, when: \'channel.name == "stdin" && channel.text.contains("curl")\', do: alert}'
    assert said(rule, piece("stdin", "curl x", **EXEC), piece("stdout", "curl x", **EXEC)) == ["a"]


def test_a_rule_about_calls_is_not_asked_about_an_egress() -> None:
    assert said("- {name: a, when: 'call.resource != \"pods\"', do: alert}", egress("x")) == []


def test_explain_says_why_not() -> None:
    found, _ = explain(
        rules("- {name: a, when: call.verb == 'list', do: alert}\n- {name: b, when: target.privileged, do: alert}"), Memory(), call(**EXEC)
    )
    assert [finding.why for finding in found] == ["no", "unknown: target.privileged"]


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["verb", "name", "user", "requestURI"]), st.text(max_size=20)),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda t: st.lists(t, max_size=3) | st.dictionaries(st.sampled_from(["spec", "path", "op", "privileged", "value"]), t, max_size=3),
    ),
)
def test_any_call_is_judged(changed: dict[str, str], tree: object) -> None:
    loaded = rules("- {name: a, when: 'call.body.spec.x == 1 || target.privileged || call.command == \"\"', do: deny}") + rules(EXAMPLE)
    for moment in (Moment.REQUEST, Moment.RESPONSE, Moment.END):
        evaluate(loaded, Memory(), call(moment, **{"resource": "pods", "requestBody": body(tree), "responseBody": body(tree), **changed}))
