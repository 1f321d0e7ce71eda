"""Policy documents: what loads, and what each mistake is told as."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.policies import EXAMPLE, HEAD, rules

from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.document import POLICY_KEYS, RULE_KEYS, By, CountOf, distinct, policies
from chaperone.collector.rules.verdict import Action, Ends, Enforce, Moment, Severity


def test_the_example_loads_with_its_phases_and_windows() -> None:
    first, second = rules(EXAMPLE)
    assert (first.do, first.enforce, first.severity, first.mitre) == (Action.DENY, Enforce.ENFORCE, Severity.HIGH, ("T1609",))
    assert (first.moment, second.moment) == (Moment.REQUEST, Moment.END)
    assert (second.window.count, second.window.count_of, second.window.by) == (10, CountOf.OBJECTS, By.WORKLOAD)
    assert second.then is not None
    assert second.then.within_ns == 300 * 10**9


def test_a_rule_that_kills_says_what() -> None:
    assert [rule.ends for rule in rules("- {name: a, when: 'true', do: kill}\n- {name: b, when: 'true', do: kill, kill: session}")] == [
        Ends.CONNECTION,
        Ends.SESSION,
    ]


MISTAKES = {
    "- {name: a, when: 'true', do: deny, kill: session}": "rules[0].kill: expected do: kill beside it",
    "- {name: a, when: 'true', do: kill, kill: node}": "expected one of connection, process, session, found 'node'",
    "- {name: a, when: call.vreb == 'x', do: alert}": "policy.yaml:5: rules[0].when: expected a CEL condition, found at 1:5: undeclared",
    "- {name: a, when: call.code == 'x', do: alert}": "no matching overload",
    "- {name: a, when: call.verb, do: alert}": "expected a condition that is true or false, found one of type STRING",
    "- {name: a, when: 'true', do: shout}": "rules[0].do: expected one of deny, approve, kill, mask, alert, allow, found 'shout'",
    "- {name: a, when: 'true', do: alert, mitre: [T99]}": "rules[0].mitre[0]: expected ATT&CK techniques such as T1609",
    "- {name: a, when: 'true', do: alert, then: {when: 'true'}}": "rules[0].then: expected the key within, which is missing",
    "- {name: a, when: 'true', do: alert, exceptions: [{}]}": "rules[0].exceptions[0]: expected pod or serviceAccount",
    "- {name: a, when: 'true', do: alert, approvals: 2}": "rules[0].approvals: expected do: approve beside it",
    "- {name: a, when: 'true'}": "expected the key do, which is missing",
    "- {name: a, when: 'true', do: alert, doo: x}": "rules[0].doo: unknown key; expected one of name",
    "- {name: a, name: b, when: 'true', do: alert}": "expected each key once",
    "- {name: a, when: call.code < 300, do: deny}": "expected only words of the request to deny or approve by, found call.code",
    "- {name: a, when: 'true', do: approve, phase: end}": "expected request or channel",
    "- {name: a, when: call.code < 300, phase: request, do: alert}": "expected response by the words of its condition, found request",
    "- {name: a, when: 'true', do: alert, count: 3}": "expected the key within beside count",
    "- {name: a, when: 'true', do: mask, how: disconnect}": "rules[0].how: expected do: deny beside it",
    "- {name: a, when: 'true', do: alert, within: 3s}": "expected count beside it",
    "- {name: a, when: 'true', do: alert, count: 3, within: 3 weeks}": "expected a time up to 24h",
    "- {name: a, when: 'true', do: alert, message: 'x {call.boby}'}": "expected words such as {call.name} in braces, found {call.boby}",
    "- {name: a, when: 'true', do: alert, message: 'x {call.body}'}": "expected words such as",
    "- {name: a, when: 'true', do: alert, exceptions: [{user: x}]}": "unknown key; expected one of pod, serviceAccount",
    "- &x {name: a, when: 'true', do: alert}": "expected no anchors",
    "- {name: a, when: 'true', do: alert}\n- {name: a, when: 'true', do: alert}": "expected each rule's name once",
    "- [": "expected YAML",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_place_and_what_was_expected(text: str) -> None:
    with pytest.raises(PolicyError) as raised:
        rules(text)
    assert MISTAKES[text] in str(raised.value)
    assert str(raised.value).startswith("policy.yaml:")


def test_a_second_document_with_a_mistake_refuses_the_file_and_gives_its_line() -> None:
    with pytest.raises(PolicyError, match=r"policy.yaml:\d+: kind: expected Policy, found 'Polcy'"):
        policies(f"{EXAMPLE}---\napiVersion: chaperone.dev/v1\nkind: Polcy\nmetadata: {{name: b}}\nrules: []\n", "policy.yaml")


def test_two_policies_of_one_name_are_refused() -> None:
    with pytest.raises(PolicyError, match="expected one policy called agents"):
        distinct([policies(EXAMPLE, "a"), policies(EXAMPLE, "b")])


def test_macros_and_lists_are_put_in_where_names_stand_and_nowhere_else() -> None:
    text = f"""{HEAD}lists:
- {{name: shells, items: [exec, attach]}}
- {{name: strands, items: [shells, portforward]}}
macros:
- {{name: inside, when: call.subresource in strands}}
- {{name: in_pod, when: inside && call.resource == "pods"}}
rules:
- {{name: a, when: 'in_pod && call.name != "inside"', do: alert}}
"""
    assert rules(text)[0].when.words == ("call.subresource", "call.resource", "call.name")


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text(alphabet="-{}[]:&*!|> \n'\"aw", max_size=80).map(lambda text: f"{HEAD}rules:\n{text}")))
def test_any_text_loads_or_is_refused_with_the_stated_error(text: str) -> None:
    try:
        policies(text, "f")
    except PolicyError as error:
        assert str(error).startswith("f:")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="call.verbodyin()[]{}\"'&|!=<>?:+-*/%0123 \n\\rx,", max_size=60))
def test_any_condition_loads_or_is_refused_with_the_stated_error(when: str) -> None:
    quoted = when.replace("'", "''")
    try:
        rules(f"- {{name: a, when: '{quoted}', do: alert}}")
    except PolicyError as error:
        assert "policy.yaml:" in str(error)


KINDS = {"nothing": "", "a mapping": "{a: b}", "a list": "[[x]]", "nonsense": "n0nsense!", "a number": "-7", "a date": "2026-13-99"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [*RULE_KEYS, *POLICY_KEYS])
def test_whatever_stands_behind_a_key_is_read_or_refused_with_its_line_key_and_what_was_expected(key: str, kind: str) -> None:
    """Every key of a rule and of a policy, each with a value of every kind, in a line of its own."""
    rule = {"name": "a", "when": "'true'", "do": "alert"}
    policy = {"apiVersion": "chaperone.dev/v1", "kind": "Policy", "metadata": "{name: agents}"}
    if key in RULE_KEYS:
        rule |= {"count": "3", "within": "1m"} if key in ("countOf", "by", "distinct", "count", "within") else {}
        rule[key] = KINDS[kind]
    else:
        policy[key] = KINDS[kind]
    lines = [f"{name}: {value}" for name, value in policy.items()]
    if key != "rules":
        lines += ["rules:", "-", *(f"  {name}: {value}" for name, value in rule.items())]
    number = next(n for n, line in enumerate(lines, 1) if line.strip().startswith(f"{key}:") and (key in RULE_KEYS) == line.startswith(" "))
    try:
        policies("\n".join(lines) + "\n", "policy.yaml")
    except PolicyError as error:
        where = f"rules[0].{key}" if key in RULE_KEYS else key
        assert error.line in (number, number - (key == "within")), (str(error), lines)
        assert error.key.startswith(where) and "expected" in error.problem, str(error)
    else:
        assert (key, kind) in ACCEPTED, "it was read as if it were right"


ACCEPTED = {(key, kind) for key in ("name", "description", "message") for kind in ("nonsense", "a number", "a date")}
