import json
from dataclasses import replace

from support.judged_events import egress
from support.made_alerts import alert, judged, verdict

from chaperone.collector.enforce.alert import LONG, SCHEMA, TEXT, TOLD, alert_from, alerts_of, cut, document
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce


def test_an_alert_says_what_who_and_how_to_look_again() -> None:
    found = alert(session={"user": "ann", "node": "n1", "labels": {"team": "pay"}, "lookedUp": {"pod": "default/agent"}})
    assert (found.what.verb, found.what.resource, found.what.name, found.who.asked, found.who.pod) == (
        "get",
        "secrets",
        "one",
        "ann",
        "default/agent",
    )
    assert (found.process.pid, found.process.command, found.process.cwd) == (7, "kubectl get secrets", "/work")
    assert (found.severity, found.rule, found.policy, found.mitre, found.labels) == ("high", "surge", "agents", ("T1609",), {"team": "pay"})
    assert found.evidence == (("call.name", "one"),)
    assert (found.replay, found.inspect) == (f"chaperone replay {'5' * 32}", f"chaperone calls show {0:032x}")


def test_a_command_line_that_is_not_all_ends_with_an_ellipsis() -> None:
    event = judged().event
    event = replace(event, document={**event.document, "process": {**event.document["process"], "argvCut": True}})
    (found,) = alerts_of(replace(judged(), event=event, verdicts=(verdict(event),)))
    assert found.process.command == "kubectl get secrets …"


def test_every_action_but_allow_is_told_with_its_mode() -> None:
    event = judged().event
    verdicts = [verdict(event, action, effective=Enforce.ENFORCE) for action in Action]
    found = alerts_of(judged(0, *verdicts))
    assert [one.action for one in found] == [str(action) for action in Action if action is not Action.ALLOW]
    assert {one.mode for one in found} == {"enforce"}
    assert set(Action) - TOLD == {Action.ALLOW}


def test_the_id_is_the_same_when_a_call_is_judged_again_at_another_time() -> None:
    one = judged(3)
    event = replace(one.event, time="2031-01-01T00:00:00.000000000Z")
    again = replace(one, event=event, verdicts=(verdict(event),))
    assert [a.id for a in alerts_of(one)] == [a.id for a in alerts_of(again)]


def test_ids_differ_by_rule_call_and_place() -> None:
    found = [alert(1), alert(2), alert(1, rule="other"), alert(1, policy="other")]
    pieces = [alerts_of(replace(one, event=replace(one.event, piece={"id": name}))) for one in [judged(1)] for name in "ab"]
    assert len({one.id for one in (*found, *pieces[0], *pieces[1])}) == 6


def test_something_that_is_no_call_has_method_and_address() -> None:
    event = egress("evil.test:443")
    [found] = alerts_of(Judged(event, (verdict(event),), "a" * 32, 0, 5))
    assert (found.what.subject, found.what.method, found.what.authority, found.what.uri, found.what.verb) == (
        "egress",
        "GET",
        "evil.test:443",
        "/",
        "",
    )
    assert (found.inspect, found.process.exe) == ("", "/usr/bin/kubectl")


def test_long_texts_are_cut() -> None:
    found = alert(message="m" * 10_000, name="n" * 10_000, requestURI="/" + "u" * 10_000)
    assert (len(found.message), len(found.what.name), len(found.what.uri)) == (LONG, TEXT, LONG)
    assert cut("ab\ud800") == "ab?"
    assert len(json.dumps(document(found))) < 16_000


def test_its_document_is_json_with_a_schema() -> None:
    found = json.loads(json.dumps(document(alert())))
    assert found["schema"] == SCHEMA
    assert found["evidence"] == [{"word": "call.name", "value": "one"}]


def test_an_alert_is_made_of_its_document_again() -> None:
    for one in (alert(1), replace(alert(2), approval={"state": "pending"}, evidence=(("call.name", "x"),), unknown=("target",))):
        assert alert_from(json.loads(json.dumps(document(one)))) == one
    assert "approval" not in document(alert(1))
