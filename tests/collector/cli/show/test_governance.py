from typing import Any

from chaperone.collector.cli.show.governance import head, rules, workloads


def test_everything_that_is_not_well_is_said() -> None:
    rule = {
        "rule": "r",
        "policy": "p",
        "action": "deny",
        "effective": "enforce",
        "matched": 3,
        "carriedOut": 2,
        "last": "2026-01-02T03:04:05Z",
    }
    seen = rule | {"rule": "s", "effective": "observe"}
    found: dict[str, Any] = {
        "policies": {"rules": 3, "digest": "abc", "loaded": "2026-01-02T03:04:05Z", "problem": "p.yaml:3: expected x"},
        "receivers": [{"receiver": "oncall", "failing": True}],
        "workloads": [{"session": "5" * 32, "workload": "w\x1b", "wished": "enforce", "effective": "deny", "why": ["late", "very"]}],
        "rules": [rule, seen],
        "waiting": [{}, {}],
        "glass": [
            {"node": "n1", "until": "2026-01-02T03:04:05.000000000Z", "who": "unix:root", "why": "deploys\x1bhang"},
            {"node": "", "nodes": [], "until": "2026-01-02T03:04:05.000000000Z", "who": "user:ann", "why": "w"},
        ],
    }
    whole = "\n".join([*head(found), *workloads(found["workloads"]), *rules(found["rules"])])
    for wanted in (
        "not loaded: p.yaml:3: expected x",
        "failing: oncall",
        "2 wait for people",
        "late; very",
        "w\\x1b",
        "nothing is held, denied or masked until 2026-01-02T03:04:05Z on n1",
        "by unix:root: deploys\\x1bhang",
        "on all nodes, as the collector was told",
    ):
        assert wanted in whole
    several = [{"receiver": "oncall", "failing": failing, "collector": f"{failing}:1"} for failing in (False, True)]
    assert "Receivers:   1, failing: oncall (True:1)" in head(found | {"receivers": several})
    enforced, observed = whole.splitlines()[-2:]
    assert enforced.split()[:6] == ["r", "p", "deny", "(enforce)", "3", "2"] and observed.split()[4:6] == ["3", "-"]
