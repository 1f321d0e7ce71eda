from dataclasses import replace

from support.approving import CONSENT, wanting

from chaperone.collector.enforce.approvals.asking import asking_of, requester_of
from chaperone.collector.rules.consent import Consent
from chaperone.collector.rules.verdict import Enforce

POD = {"lookedUp": {"serviceAccount": "ai:agent", "namespace": "ai", "pod": "ai/agent-0"}, "workload": "ai/agent-0/main"}
EXEC = {"verb": "create", "resource": "pods", "subresource": "exec", "name": "web", "namespace": "prod", "apiGroup": ""}


def asking(*args: object, **changed: object):  # type: ignore[no-untyped-def]
    found = asking_of(wanting(*args, **changed), " --store /s")  # type: ignore[arg-type]
    assert found
    return found


def test_only_a_rule_that_acts_asks() -> None:
    one = wanting()
    [verdict] = one.verdicts
    assert asking_of(replace(one, verdicts=(replace(verdict, effective=Enforce.WARN),))) is None
    assert asking_of(replace(one, verdicts=())) is None


def test_all_rules_that_want_approval_are_asked_for_on_the_tightest_terms() -> None:
    one = wanting()
    other = wanting(0, Consent(2, ("group:sre",), 60, 5), "second").verdicts[0]
    found = asking_of(replace(one, verdicts=(*one.verdicts, other)))
    assert found
    assert [(need.rule, need.approvals, need.approvers) for need in found.needs] == [
        ("roles", 1, CONSENT.approvers),
        ("second", 2, ("group:sre",)),
    ]
    assert (found.hold_ns, found.expires_ns) == (5, 60)


def test_a_request_that_two_readers_understand_differently_is_bound_to_nothing() -> None:
    assert asking().binding == "b" * 64
    assert asking(ambiguous=["a key comes twice"]).binding == ""
    assert asking(binding="").binding == ""


def test_the_requester_is_who_it_is_beyond_a_session() -> None:
    assert requester_of(POD) == "serviceaccount ai:agent"
    assert requester_of(POD | {"node": "n1"}, is_shared=True) == "serviceaccount ai:agent on n1", "where several collectors decide"
    assert requester_of({"user": "ann", "node": "n1", "workload": "run/n1/7"}) == "user ann on n1"
    assert requester_of({"workload": "w"}) == "workload w"
    assert requester_of({"id": "s"}) == "workload s"


def test_nobody_decides_on_what_they_ask_for_themselves() -> None:
    found = asking(of=POD, user="jane", impersonated={"user": "admin"})
    assert found.identities == {"user:jane", "user:admin", "user:system:serviceaccount:ai:agent"}
    assert asking(of={"user": "ann"}, user="").identities == {"unix:ann"}


def test_the_command_of_an_exec_is_told_and_a_shell_is_named_as_such() -> None:
    uri = "/api/v1/namespaces/prod/pods/web/exec?command=env&command=FOO%3D1&command=%2Fbin%2Fbash&stdin=true&tty=true"
    told = asking(**EXEC, requestURI=uri).alert.approval
    assert told == {"command": "env FOO=1 /bin/bash", "shell": "bash, interactive"}
    assert asking(**EXEC, requestURI=uri.replace("&tty=true", "")).alert.approval["shell"] == "bash"
    assert asking(**EXEC, requestURI="/x?command=ls&command=a%20b").alert.approval == {"command": "ls 'a b'", "shell": ""}
    assert asking(requestURI="/x?command=bash").alert.approval == {"command": "", "shell": ""}


def test_the_alert_says_what_who_and_how_to_look() -> None:
    found = asking().alert
    assert (found.what.verb, found.what.resource, found.who.asked, found.action) == ("create", "clusterroles", "agent", "approve")
    assert found.replay.endswith(" --store /s")
