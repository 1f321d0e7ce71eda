"""Calls as the audit log has them: rules that the recordings show, and those only the apiserver's code does."""

from typing import Any

import pytest
from support.documents import body, call, exec_call

from chaperone.collector.cli.show.audit import event

STATUS = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": 'secrets "db" not found',
    "reason": "NotFound",
}
STATUS |= {"details": {"name": "db", "kind": "secrets"}, "code": 404}


def audited(**changes: Any) -> dict[str, Any]:
    return event(call(**changes), "a.jsonl.gz")


def test_an_event_has_the_apiservers_fields_in_its_order() -> None:
    shown = audited()
    assert list(shown) == [
        *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "userAgent", "objectRef"),
        *("responseStatus", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations"),
    ]
    assert shown["objectRef"] == {"resource": "secrets", "namespace": "default", "name": "db", "apiVersion": "v1"}
    assert shown["responseStatus"] == {"metadata": {}, "code": 200}
    assert shown["requestReceivedTimestamp"] == "2026-01-02T03:04:05.100000Z"
    assert shown["annotations"] == {"chaperone.dev/source": "a.jsonl.gz", "chaperone.dev/masked": "1"}


def test_a_failure_has_the_status_that_was_answered() -> None:
    assert audited(code=404, responseBody=body(STATUS))["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": 'secrets "db" not found',
        "reason": "NotFound",
        "details": {"name": "db", "kind": "secrets"},
        "code": 404,
    }


def test_a_method_that_is_no_verb_leaves_the_verb_empty() -> None:
    assert audited(method="OPTIONS", verb="")["verb"] == ""


def test_empty_details_of_a_protobuf_status_are_left_out() -> None:
    details = {"name": "db", "group": "", "retryAfterSeconds": 0, "causes": [{"reason": "ExitCode", "message": "3", "field": ""}]}
    status = audited(code=409, responseBody=body(STATUS | {"details": details}))["responseStatus"]
    assert status["details"] == {"name": "db", "causes": [{"reason": "ExitCode", "message": "3"}]}
    assert audited(code=409, responseBody=body(STATUS | {"details": {}}))["responseStatus"]["details"] == {}


def test_a_watchs_error_event_is_not_its_status() -> None:
    shown = audited(verb="watch", hasResponseObject=False, responseBody=body(STATUS))
    assert shown["responseStatus"] == {"metadata": {}, "code": 200}


def test_a_refused_watch_has_the_status_that_was_answered() -> None:
    shown = audited(verb="watch", code=410, responseBody=body(STATUS | {"reason": "Expired"}))
    assert (shown["responseStatus"]["reason"], shown["responseStatus"]["code"]) == ("Expired", 410)


def test_a_refused_head_has_the_status_it_would_have_been_sent() -> None:
    shown = audited(method="HEAD", code=405, responseBody=None)
    assert shown["responseStatus"]["reason"] == "MethodNotAllowed"
    assert shown["annotations"]["chaperone.dev/inferred"] == "responseStatus"


def test_an_upgrade_gets_an_audit_id_made_of_the_calls_own() -> None:
    shown = event(exec_call(), "a")
    assert shown["auditID"].replace("-", "").startswith("ca11")
    assert shown["annotations"]["chaperone.dev/inferred"] == "auditID"


def test_a_request_to_no_resource_has_no_reference() -> None:
    assert "objectRef" not in audited(isResource=False)


def test_nobody_is_named_when_the_token_was_refused() -> None:
    assert audited(code=401)["user"] == {}


def asked(user: str, *groups: str) -> dict[str, Any]:
    return {"user": user, "groups": list(groups), "uid": "", "extra": []}


@pytest.mark.parametrize(
    ("impersonated", "groups"),
    [
        (asked("nobody"), ["system:authenticated"]),
        (asked("nobody", "dev"), ["dev", "system:authenticated"]),
        (asked("nobody", "system:authenticated"), ["system:authenticated"]),
        (asked("system:anonymous"), ["system:unauthenticated"]),
        (asked("system:serviceaccount:ns:sa"), ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"]),
    ],
)
def test_impersonation_adds_groups_as_the_apiserver_does(impersonated: dict[str, Any], groups: list[str]) -> None:
    assert audited(impersonated=impersonated)["impersonatedUser"] == {"username": impersonated["user"], "groups": groups}


def test_a_refused_impersonation_is_not_logged_as_one() -> None:
    refusal = STATUS | {"message": 'users "nobody" is forbidden: User "x" cannot impersonate resource "users"', "code": 403}
    assert "impersonatedUser" not in audited(impersonated=asked("nobody"), code=403, responseBody=body(refusal))


def test_uid_and_resource_version_come_from_the_object_sent() -> None:
    sent = body({"kind": "Secret", "metadata": {"name": "db", "uid": "u1", "resourceVersion": "7"}})
    shown = audited(verb="update", requestBody=sent, hasRequestObject=True)
    assert shown["objectRef"]["uid"] == "u1"
    assert list(shown["objectRef"]) == ["resource", "namespace", "name", "uid", "apiVersion", "resourceVersion"]
    assert "uid" not in audited(verb="patch", requestBody=sent, hasRequestObject=True)["objectRef"]


def test_an_object_that_cannot_be_shown_is_there_by_its_kind() -> None:
    hidden = body("AAEC", encoding="base64", kind="Secret")
    assert audited(responseBody=hidden)["responseObject"] == {"kind": "Secret"}


def test_a_call_that_was_cut_says_so() -> None:
    gap = {"direction": "in", "position": 5, "size": 10, "reason": "ring full"}
    assert audited(complete=False, gaps=[gap], code=None)["annotations"]["chaperone.dev/incomplete"] == "ring full"
    assert "responseStatus" not in audited(complete=False, code=None)
