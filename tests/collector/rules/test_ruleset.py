import pytest
from support.judged_events import call, egress, piece
from support.policies import EXAMPLE, HEAD, rules

from chaperone.collector.rules.document import Policy, policies
from chaperone.collector.rules.evaluate import evaluate
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.memory import Memory
from chaperone.collector.rules.ruleset import arranged, concerning, joined, named, print_of, ruleset
from chaperone.collector.rules.terms import Mode
from chaperone.collector.rules.verdict import Enforce, Moment

MANY = """- {name: request, when: call.verb == "get", do: alert}
- {name: end, when: call.objects > 0, do: alert}
- {name: stdin, when: channel.text == "x", do: alert}
- {name: out, when: egress.host == "x", do: alert}
- {name: watched, when: 'call.resource == "secrets"', count: 1, countOf: objects, within: 1m, do: alert}
"""
EVENTS = [call(), call(Moment.RESPONSE), call(Moment.END), piece("stdin", "x"), piece("event", "{}", verb="watch"), egress("x")]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.subject}-{event.moment.name}")
@pytest.mark.parametrize("text", [MANY, EXAMPLE])
def test_arranged_rules_say_what_all_of_them_say(text: str, event: Event) -> None:
    arranged = ruleset(rules(text))
    waiting = Memory(armed={("agents", "secret-surge-then-egress", "w"): 2**62})
    expected = evaluate(rules(text), waiting, event)
    assert evaluate(arranged.at(event), waiting, event) == expected
    assert evaluate(arranged.likely(event), waiting, event) == expected


def test_an_event_costs_only_the_rules_it_concerns() -> None:
    arranged = ruleset(rules(MANY))
    assert [rule.name for rule in arranged.at(call())] == ["request"]
    assert [rule.name for rule in arranged.at(egress("x"))] == ["out"]


def test_a_resource_rules_out_what_is_about_others_but_not_what_waits() -> None:
    arranged = ruleset(rules(EXAMPLE + '- {name: nodes, when: call.resource == "nodes", do: alert}'))
    pods, nodes = call(resource="pods"), call(resource="nodes")
    assert [rule.name for rule in arranged.likely(pods)] == ["no-privileged-exec"]
    assert [rule.name for rule in arranged.likely(nodes)] == ["nodes"]
    assert [rule.name for rule in arranged.likely(egress("x"))] == ["secret-surge-then-egress"]


def test_the_digest_and_print_change_with_what_a_rule_matches_not_with_what_it_says() -> None:
    before, other = rules(MANY), rules(MANY.replace('"get"', '"list"'))
    said = rules(MANY.replace("do: alert}", "do: alert, message: hello}"))
    assert print_of(before[0]) != print_of(other[0]) and print_of(before[0]) == print_of(said[0])
    assert ruleset(before).digest != ruleset(other).digest


def test_nothing_is_remembered_longer_than_the_longest_rule_asks() -> None:
    assert ruleset(rules(EXAMPLE)).horizon_ns == 300 * 10**9
    assert ruleset(()).horizon_ns == 0


def test_policies_are_added_and_never_replaced() -> None:
    own = ruleset(rules(EXAMPLE))
    more = policies(HEAD.replace("agents", "more") + "rules:\n- {name: a, when: 'true', do: alert}\n", "f")
    assert len(joined(own, more)[0].all) == 3
    changed = policies(EXAMPLE.replace("do: deny", "do: deny\n  onUnknown: skip"), "f")
    assert joined(own, changed) == (own, ("agents",))
    assert joined(own, policies(EXAMPLE, "f")) == (own, ())


def follower(enforce: str = "observe", selector: str = "") -> tuple[Policy, Policy]:
    """A policy that follows, and another with a rule."""
    rule = "rules:\n- {{name: a, when: 'true', do: deny, enforce: {}}}\n"
    follows = policies(HEAD.replace("agents", "follower") + "mode: follow\n" + rule.format("enforce"), "f")
    return follows[0], policies(HEAD + selector + rule.format(enforce), "f")[0]


@pytest.mark.parametrize("enforce", ["observe", "enforce"])
def test_a_policy_that_follows_acts_where_a_rule_of_another_does(enforce: str) -> None:
    follows, other = follower(enforce)
    apart, _ = joined(arranged([follows]), [other])
    for rules_ in (concerning(arranged([follows, other]), {"id": "s"}), apart):
        assert {rule.effective for rule in rules_} == {Enforce(enforce)}
        assert rules_.policies[0].terms.mode is (Mode.ENFORCE if enforce == "enforce" else Mode.RECORD)


def test_a_policy_that_follows_does_not_follow_one_that_is_about_others() -> None:
    rules_ = arranged(follower("enforce", "selector: {namespaces: [x]}\n"))
    elsewhere, there = ({"id": "s", "lookedUp": {"namespace": space, "name": "p"}} for space in ("y", "x"))
    assert [rule.effective for rule in concerning(rules_, elsewhere)] == [Enforce.OBSERVE]
    assert [rule.effective for rule in concerning(rules_, there)] == [Enforce.ENFORCE] * 2


def test_a_label_has_a_policy_that_follows_enforce() -> None:
    session = {"id": "s", "lookedUp": {"name": "p"}, "labels": {"chaperone.dev/govern": "enforce"}}
    assert [rule.effective for rule in concerning(arranged(follower()[:1]), session)] == [Enforce.ENFORCE]


def test_a_policy_that_is_off_adds_nothing() -> None:
    off = policies(HEAD.replace("agents", "more") + "mode: 'off'\nrules:\n- {name: a, when: 'true', do: alert}\n", "f")
    assert joined(ruleset(()), off)[0].all == ()


def test_rules_are_found_by_policy_and_name() -> None:
    assert named(ruleset(rules(EXAMPLE)))["agents", "no-privileged-exec"][0].name == "no-privileged-exec"
