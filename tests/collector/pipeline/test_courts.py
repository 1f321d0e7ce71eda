from support.policies import EXAMPLE, HEAD, rules

from chaperone.collector.pipeline.courts import Courts
from chaperone.collector.rules.ruleset import ruleset

OWN = rules(HEAD.replace("agents", "own") + "rules:\n- {name: a, when: 'true', do: alert}\n")


def names(courts: Courts, session: str) -> list[str]:
    return [rule.name for rule in courts.of(session).rules]


def test_a_session_has_the_collectors_rules_and_those_it_brought() -> None:
    courts = Courts(ruleset(OWN))
    assert courts.convene("s", (EXAMPLE,)) == []
    assert names(courts, "s") == ["a", "no-privileged-exec", "secret-surge-then-egress"]
    assert names(courts, "other") == ["a"]
    assert courts.of("s").rules.digest != courts.of("other").rules.digest


def test_a_brought_policy_cannot_replace_the_collectors() -> None:
    courts = Courts(ruleset(OWN))
    tamed = HEAD.replace("agents", "own") + "rules:\n- {name: a, when: 'false', do: alert}\n"
    assert courts.convene("s", (tamed,)) == ["own is not used: the collector has another of that name"]
    assert [rule.when.text for rule in courts.of("s").rules] == ["true"]


def test_the_same_policy_on_both_sides_is_one() -> None:
    courts = Courts(ruleset(rules(EXAMPLE)))
    assert courts.convene("s", (EXAMPLE,)) == []
    assert len(names(courts, "s")) == 2


def test_a_wrong_policy_is_said_and_the_collectors_rules_remain() -> None:
    courts = Courts(ruleset(OWN))
    [problem] = courts.convene("s", ("kind: Pod",))
    assert problem.startswith("it is not used: policy:1: ") and names(courts, "s") == ["a"]


def test_new_rules_reach_sessions_that_brought_some_and_ended_ones_are_forgotten() -> None:
    courts = Courts(ruleset(()))
    courts.convene("s", (EXAMPLE,))
    courts.use(ruleset(OWN))
    assert names(courts, "s")[0] == "a"
    courts.dismiss("s")
    assert names(courts, "s") == ["a"] and len(courts.named_anywhere()) == 1
