from typing import Any

from support.policies import EXAMPLE, HEAD

from chaperone.collector.pipeline import courts as module
from chaperone.collector.pipeline.courts import Courts, governed_by
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import Rules, arranged

OWN = HEAD.replace("agents", "own") + "rules:\n- {name: a, when: 'true', do: alert}\n"
PODS = HEAD.replace("agents", "pods") + "selector: {namespaces: [ci]}\nmode: record\nrules:\n- {name: p, when: 'true', do: alert}\n"
RUN = {"id": "s", "node": "n"}


def rules(*texts: str) -> Rules:
    return arranged(policy for text in texts for policy in policies(text, "own.yaml"))


def pod(id_: str, namespace: str, **labels: str) -> dict[str, Any]:
    return {"id": id_, "labels": labels, "lookedUp": {"namespace": namespace, "name": "web", "container": "c", "serviceAccount": ""}}


def names(courts: Courts, session: str) -> list[str]:
    return [rule.name for rule in courts.of(session).rules]


def test_a_session_has_the_collectors_rules_and_those_it_brought() -> None:
    courts = Courts(rules(OWN))
    assert courts.convene(RUN, (EXAMPLE,)) == []
    assert names(courts, "s") == ["a", "no-privileged-exec", "secret-surge-then-egress"]
    assert names(courts, "other") == ["a"]
    assert courts.of("s").rules.digest != courts.of("other").rules.digest
    assert governed_by(courts.of("s").rules) == [
        {"policy": "own", "mode": "enforce", "from": "collector", "rules": 1, "enforced": 0},
        {"policy": "agents", "mode": "enforce", "from": "run", "rules": 2, "enforced": 1},
    ]


def test_a_brought_policy_cannot_replace_the_collectors() -> None:
    courts = Courts(rules(OWN))
    tamed = HEAD.replace("agents", "own") + "rules:\n- {name: a, when: 'false', do: alert}\n"
    assert courts.convene(RUN, (tamed,)) == ["own is not used: the collector has another of that name"]
    assert [rule.when.text for rule in courts.of("s").rules] == ["true"]


def test_the_same_policy_on_both_sides_is_one() -> None:
    courts = Courts(rules(EXAMPLE))
    assert courts.convene(RUN, (EXAMPLE,)) == []
    assert len(names(courts, "s")) == 2


def test_a_wrong_policy_is_said_of_every_session_that_brings_it_and_the_collectors_rules_remain() -> None:
    courts = Courts(rules(OWN))
    for session in ("s", "t"):
        [problem] = courts.convene({"id": session}, ("kind: Pod",))
        assert problem.startswith("it is not used: policy:1: ") and names(courts, session) == ["a"]


def test_new_rules_reach_sessions_that_brought_some_and_ended_ones_are_forgotten(monkeypatch: Any) -> None:
    courts = Courts(Rules())
    courts.convene(RUN, (EXAMPLE,))
    courts.use(rules(OWN))
    assert names(courts, "s")[0] == "a" and list(courts.sitting()) == [RUN]
    courts.dismiss("s")
    assert len(names(courts, "s")) == 3 and list(courts.sitting()) == []
    monkeypatch.setattr(module, "ENDED", 0)
    courts.dismiss("s")
    assert names(courts, "s") == ["a"] and len(courts.named_anywhere()) == 1


def test_a_pod_has_the_policies_whose_selector_fits_it_and_its_label_raises_their_mode() -> None:
    courts = Courts(rules(OWN, PODS))
    for session in (pod("in", "ci"), pod("out", "prod"), pod("raised", "ci", **{"chaperone.dev/govern": "enforce"}), RUN):
        assert courts.convene(session) == []
    assert [names(courts, session) for session in ("in", "out", "raised", "s")] == [["a", "p"], ["a"], ["a", "p"], ["a"]]
    assert [policy["mode"] for session in ("in", "raised") for policy in governed_by(courts.of(session).rules)][1::2] == [
        "record",
        "enforce",
    ]


def test_a_run_is_judged_by_what_it_brings_whatever_its_selector_and_also_where_the_collector_has_it_for_pods() -> None:
    courts = Courts(rules(OWN, PODS))
    assert courts.convene(RUN, (PODS,)) == []
    assert names(courts, "s") == ["a", "p"]
