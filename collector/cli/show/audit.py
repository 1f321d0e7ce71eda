"""Call documents → audit.k8s.io/v1 Events, stage ResponseComplete, as the apiserver's own log has them.

Objects are the masked ones. What is not on the wire is derived from the apiserver's code and named in the annotation
`chaperone.dev/inferred`: the Status of an answer to HEAD (it has no body), the auditID of an upgrade (a 101 has none), the
groups that impersonation adds. Sources: apiserver pkg/apis/audit/types.go, pkg/audit/request.go,
pkg/endpoints/filters/impersonation.go; apimachinery pkg/api/errors/errors.go.
"""

import uuid
from typing import Any

from chaperone.collector.cli.show.value import object_of
from chaperone.collector.times import SECOND, time_ns

Document = dict[str, Any]
PREFIX = "chaperone.dev/"
STATUS_KEYS = ("status", "message", "reason", "details")
REFERENCE = {
    "resource": "resource",
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "apiGroup": "apiGroup",
    "apiVersion": "apiVersion",
    "resourceVersion": "resourceVersion",
    "subresource": "subresource",
}
# NewGenericServerResponse's texts for refusals whose body a HEAD does not get.
HEAD_REFUSALS = {405: ("the server does not allow this method on the requested resource", "MethodNotAllowed")}
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
SERVICE_ACCOUNT = "system:serviceaccount:"


def event(call: Document, source: str) -> Document:
    """One Event; keys that the apiserver would leave out are left out."""
    inferred: list[str] = []
    fields = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": call["auditID"] or _inferred(str(uuid.UUID(call["id"])), "auditID", inferred),
        "stage": "ResponseComplete",
        "requestURI": call["requestURI"],
        "verb": call["verb"],
        "user": {} if call["code"] == 401 else {"username": call["user"]},
        "impersonatedUser": _impersonated(call, inferred),
        "userAgent": call["userAgent"],
        "objectRef": _reference(call),
        "responseStatus": _status(call, inferred),
        "requestObject": _object(call, "request"),
        "responseObject": _object(call, "response"),
        "requestReceivedTimestamp": _microseconds(call["time"]),
        "stageTimestamp": _microseconds(call["ended"] or call["answered"] or call["requested"] or call["time"]),
        "annotations": _annotations(call, source, inferred),
    }
    needed = {"requestURI", "verb", "user"}  # the fields without omitempty that may be empty
    return {key: value for key, value in fields.items() if key in needed or value not in ("", None, {})}


def _inferred(value: Any, field: str, inferred: list[str]) -> Any:
    inferred.append(field)
    return value


def _annotations(call: Document, source: str, inferred: list[str]) -> dict[str, str]:
    notes = {"source": source, "inferred": ",".join(dict.fromkeys(inferred))}
    notes["incomplete"] = "" if call["complete"] else "; ".join(gap["reason"] for gap in call["gaps"]) or "cut off"
    notes["ambiguous"] = "; ".join(call["ambiguous"])
    masked = sum((call[side] or {}).get("masked", 0) for side in ("requestBody", "responseBody"))
    notes["masked"] = str(masked) if masked else ""
    return {PREFIX + key: value for key, value in notes.items() if value}


def _reference(call: Document) -> Document | None:
    """LogRequestObject fills what the URL leaves empty from the decoded object's metadata; a patch is no object."""
    if not call["isResource"]:
        return None
    sent = object_of(call["requestBody"]) if call["verb"] in {"create", "update"} else None
    metadata = sent.get("metadata") if isinstance(sent, dict) else None
    from_body = {key: metadata.get(key) for key in ("uid", "resourceVersion")} if isinstance(metadata, dict) else {}
    known = {**from_body, **{key: call[source] for key, source in REFERENCE.items() if source in call}}
    return {key: known[key] for key in REFERENCE if known.get(key)}


def _status(call: Document, inferred: list[str]) -> Document | None:
    """A Status object's own fields when one was answered, always the HTTP status, None without an answer."""
    if call["code"] is None:
        return None
    return {"metadata": {}, **_said(call, inferred), "code": call["code"]}


def _said(call: Document, inferred: list[str]) -> Document:
    if call["method"] == "HEAD" and call["code"] in HEAD_REFUSALS and call["isResource"]:
        message, reason = HEAD_REFUSALS[call["code"]]
        return dict(_inferred({"status": "Failure", "message": message, "reason": reason, "details": {}}, "responseStatus", inferred))
    answered = object_of(call["responseBody"])
    if not isinstance(answered, dict) or answered.get("kind") != "Status" or not call["hasResponseObject"]:
        return {}
    said = {key: answered[key] for key in STATUS_KEYS if answered.get(key) is not None and answered[key] != ""}
    return said | {"details": _without_empty(said["details"])} if "details" in said else said


def _without_empty(details: Any) -> Any:
    """StatusDetails and its causes leave out what is empty; protobuf carries it (apimachinery pkg/apis/meta/v1/types.go)."""
    if isinstance(details, list):
        return [_without_empty(inner) for inner in details]
    if not isinstance(details, dict):
        return details
    return {key: _without_empty(inner) for key, inner in details.items() if inner not in ("", 0, None, [])}


def _impersonated(call: Document, inferred: list[str]) -> Document | None:
    """None also when the impersonation itself was refused: it is logged only once it is allowed."""
    asked = call["impersonated"]
    answered = object_of(call["responseBody"]) if call["code"] == 403 else None
    if not asked or (isinstance(answered, dict) and " cannot impersonate" in str(answered.get("message"))):
        return None
    fields = {"username": asked["user"], "uid": asked["uid"], "groups": _groups(asked, inferred), "extra": _extra(asked["extra"])}
    return {key: value for key, value in fields.items() if value}


def _groups(asked: Document, inferred: list[str]) -> list[str]:
    groups, user = list(asked["groups"]), asked["user"]
    if not groups and user.startswith(SERVICE_ACCOUNT) and user.count(":") == 3:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}"]
    if not {AUTHENTICATED, UNAUTHENTICATED} & set(groups):
        groups.append(UNAUTHENTICATED if user == "system:anonymous" else AUTHENTICATED)
    return list(_inferred(groups, "impersonatedUser.groups", inferred)) if groups != asked["groups"] else groups


def _extra(pairs: list[list[str]]) -> dict[str, list[str]]:
    extra: dict[str, list[str]] = {}
    for key, value in pairs:
        extra.setdefault(key, []).append(value)
    return extra


def _object(call: Document, side: str) -> Any:
    """The masked object; its kind alone where its bytes were not kept."""
    if not call["hasRequestObject" if side == "request" else "hasResponseObject"]:
        return None
    body = call[f"{side}Body"] or {}
    found = object_of(call[f"{side}Body"])
    return found if found is not None else {"kind": body.get("kind") or "Unknown"}


def _microseconds(time: str) -> str:
    """MicroTime: six digits."""
    seconds, _, _ = time.removesuffix("Z").partition(".")
    return f"{seconds}.{time_ns(time) % SECOND // 1000:06}Z"
