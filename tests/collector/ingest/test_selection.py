"""What agents are told of the policies in force."""

from chaperone.collector.ingest.selection import selection_of
from chaperone.collector.rules.document import policies

RULE = "{name: no, when: 'call.verb == \"delete\"', do: deny, enforce: enforce}"
TEXT = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: NAME}
MORE
rules: [RULE]
"""


def said(more: str, rule: str = RULE) -> list[dict[str, object]]:
    text = TEXT.replace("NAME", "p").replace("MORE", more).replace("RULE", rule)
    return [
        {
            field.name: value if isinstance(value, str | bool) else dict(value) if field.name == "labels" else list(value)
            for field, value in one.ListFields()
        }
        for one in selection_of(policies(text, "p.yaml")).selectors
    ]


def test_a_policy_that_acts_has_its_pods_enforced_on_its_terms() -> None:
    more = "selector: {namespaces: [demo, x-*], labels: {app: agent}, serviceAccounts: ['demo:bot']}\n"
    more += "onFailure: deny\nuncovered: deny\nverdictTimeout: 3s"
    assert said(more) == [
        {
            "mode": "enforce",
            "namespaces": ["demo", "x-*"],
            "service_accounts": ["demo:bot"],
            "labels": {"app": "agent"},
            "on_failure": "deny",
            "uncovered": "deny",
            "verdict_timeout_s": "3.0",
            "hold_limit_s": "10.0",
        }
    ]


def test_one_that_only_looks_has_them_recorded() -> None:
    alert = RULE.replace("deny", "alert")
    assert said("selector: {containers: [main], nodes: [n1]}", alert) == [{"mode": "record", "containers": ["main"], "nodes": ["n1"]}]
    assert [one["mode"] for one in said("selector: {namespaces: [demo]}\nmode: record")] == ["record"]
    assert said("selector: {namespaces: [demo]}\nmode: 'off'") == []


def test_one_without_a_selector_governs_nobody_by_itself() -> None:
    (found,) = said("")
    assert (found["mode"], found["only_raises"]) == ("enforce", True)
    assert said("", RULE.replace("deny", "alert")) == []


def test_a_strict_one_says_so_whether_it_acts_or_governs() -> None:
    alert = RULE.replace("deny", "alert")
    (found,) = said("selector: {namespaces: [demo]}\nrecord: strict", alert)
    assert (found["mode"], found["record"]) == ("record", "strict")
    (everywhere,) = said("record: strict", alert)
    assert (everywhere["only_raises"], everywhere["record"]) == (True, "strict")
    assert "record" not in said("")[0]


def test_one_that_has_everything_recorded_says_so_whether_it_acts_or_governs() -> None:
    alert = RULE.replace("deny", "alert")
    (found,) = said("selector: {namespaces: [demo]}\negress: {scan: 'on'}", alert)
    assert (found["mode"], found["scan"]) == ("record", "on")
    (everywhere,) = said("egress: {scan: 'on'}", alert)
    assert (everywhere["mode"], everywhere["only_raises"], everywhere["scan"]) == ("record", True, "on")
    assert "scan" not in said("")[0]
