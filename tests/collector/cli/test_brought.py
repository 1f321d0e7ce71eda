from typing import Any

from support.policies import EXAMPLE, HEAD

from chaperone.collector.cli.brought import brought, in_session, inexact, remarks, tried
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged

OWN = HEAD.replace("agents", "own") + "selector: {namespaces: [ci]}\nrules:\n- {name: a, when: 'true', do: alert}\n"
POLICIES = policies(OWN, "own.yaml")
SELECTED = EXAMPLE.replace("rules:", "selector: {namespaces: [ci]}\nrules:")


def session(**more: Any) -> dict[str, Any]:
    return {"id": "s", "policies": [{"text": SELECTED, "digest": "0123456789abcdef", "masked": False}], **more}


def test_a_run_is_judged_by_what_it_brought_and_not_by_what_is_for_pods() -> None:
    assert [policy.name for policy in brought(session())] == ["agents"]
    assert [rule.name for rule in in_session(arranged(POLICIES), session())] == ["no-privileged-exec", "secret-surge-then-egress"]
    assert list(remarks(arranged(POLICIES), session())) == ["own: its selector does not concern this session, which is of no pod"]


def test_what_it_brought_then_is_tried_now_without_asking_its_selector() -> None:
    governed = [{"policy": "agents", "mode": "enforce", "from": "run"}, {"policy": "own", "mode": "enforce", "from": "collector"}]
    past = session(governedBy=governed)
    assert list(remarks(tried(policies(SELECTED, "f"), past), past)) == []
    assert len(list(remarks(tried(policies(SELECTED, "f"), session()), session()))) == 1
    assert len(list(remarks(tried(POLICIES, past), past))) == 1


def test_a_masked_text_is_said_to_be_inexact() -> None:
    masked = session(policies=[{"text": EXAMPLE, "digest": "0123456789abcdef", "masked": True}])
    [remark] = inexact(masked)
    assert remark.startswith("policy 0123456789ab: a secret in its text was masked") and list(inexact(session())) == []


def test_bare_texts_of_an_earlier_version_do_not_count() -> None:
    old = session(policies=[EXAMPLE])
    assert brought(old) == [] and list(inexact(old)) == []
