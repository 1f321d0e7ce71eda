"""What the audit log has of a call's objects: whether it has them, and what they add to objectRef.

The apiserver logs a request object when its handler has decoded it, so not after an early refusal, and an answer's when
it was written as an object. Sources: apiserver pkg/audit/request.go (LogRequestObject, LogResponseObject),
pkg/endpoints/handlers/{create,update,patch,delete}.go, responsewriters/writers.go.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from chaperone.collector.kube.body import form_of
from chaperone.collector.kube.call import Body, Call, Form, RequestInfo
from chaperone.collector.kube.protobuf import Message
from chaperone.collector.kube.status import Status, status_of

_OBJECT_METHODS = ("POST", "PUT", "PATCH", "DELETE")
_OBJECT_FORMS = (Form.JSON, Form.YAML, Form.PROTOBUF, Form.CBOR)
_NEVER_DECODED = (401, 405, 406, 413, 415)  # answered before a handler reads the body
# 406: what cannot be negotiated is written as JSON past the log (responsewriters/writers.go, WriteRawJSON)
_WITHOUT_OBJECT = (101, 204, 304, 406)
_CONNECTED = ("exec", "attach", "portforward", "proxy")
_PLAIN_PATHS = ("version", "openapi", "metrics", "healthz", "livez", "readyz", "logs", "debug", ".well-known", "openid", "")
AGGREGATED = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")  # other servers, proxied as bytes
_UNAUTHORIZED = re.compile(r'User "(?:[^"\\]|\\.)*" cannot ')
_UNDECODED = re.compile(
    "strict decoding error|unable to decode|object provided is unrecognized|couldn't get version/kind|cannot be handled as a|"
    "does not match the expected API version|no kind |decoding|json: |yaml: |error converting YAML|unable to parse"
)
_BAD_OPTIONS = re.compile(r'(?:Create|Update|Patch)Options\.meta\.k8s\.io "" is invalid')  # of the query, checked first
_NO_SUCH_PATH = "the server could not find the requested resource"


@dataclass(frozen=True, slots=True)
class Answer:
    """What decides whether the request object was logged."""

    code: int | None
    body: Body | None


def has_request_object(call: Call) -> bool:
    """Was a body sent that the apiserver decoded?"""
    return was_decoded(call.method, call.info, call.request_body, Answer(call.code, call.response_body))


def has_response_object(call: Call) -> bool:
    """Was an object answered? Never for watch, log, 101, 304, /version, /openapi."""
    if call.code is None or call.code in _WITHOUT_OBJECT or _is_plain(call):
        return False
    if call.code < 300 and call.info.verb == "watch":
        return False
    if call.response_body is not None and call.response_body.complete and call.response_body.object is not None:
        return bool(call.response_body.kind) and call.response_body.form in _OBJECT_FORMS
    return _says_object(call)


def was_decoded(method: str, info: RequestInfo, body: Body | None, answer: Answer) -> bool:
    """Did a handler decode this request's body?"""
    if body is None or not body.size or method not in _OBJECT_METHODS or not _takes_objects(info):
        return False
    if not body.complete or (body.object is None and body.form not in _OBJECT_FORMS):
        return False
    return answer.code is None or not _refused_early(answer.code, method, status_of(answer.body))


def with_object(info: RequestInfo, method: str, body: Body) -> RequestInfo:
    """`info` with what the decoded object's metadata adds (rule 12). Options and patches have no metadata of an object."""
    if method not in ("POST", "PUT"):
        return info
    named = _metadata(body)
    return replace(
        info,
        namespace=info.namespace or named["namespace"],
        name=info.name or named["name"],
        uid=info.uid or named["uid"],
        resource_version=info.resource_version or named["resourceVersion"],
    )


def _takes_objects(info: RequestInfo) -> bool:
    return info.is_resource and info.subresource not in _CONNECTED and info.verb != "proxy" and info.api_group not in AGGREGATED


def _refused_early(code: int, method: str, status: Status) -> bool:
    if code in _NEVER_DECODED:
        return True
    if code == 429:  # of flow control, in plain text; a Status comes from who has the object: an eviction that has to wait
        return status == Status()
    if code == 422:
        return bool(_BAD_OPTIONS.match(status.message))
    if code == 403:  # the authorizer's refusal; an admission plugin's comes after decoding
        return bool(_UNAUTHORIZED.search(status.message))
    if code == 404:
        return status.reason != "NotFound" or status.message == _NO_SUCH_PATH
    return code == 400 and method != "PATCH" and bool(_UNDECODED.search(status.message))


def _is_plain(call: Call) -> bool:
    """Answers that are written as bytes, not as an object. Their errors are Status objects."""
    status = status_of(call.response_body)
    if call.info.api_group in AGGREGATED and not (call.code == 401 or _UNAUTHORIZED.search(status.message)):
        return True
    if call.code is not None and call.code >= 400 and status != Status():
        return False
    if call.info.is_resource:
        return call.info.subresource in ("log", *_CONNECTED) or call.info.verb == "proxy"
    return call.request_uri.partition("?")[0].strip("/").split("/")[0] in _PLAIN_PATHS


def _says_object(call: Call) -> bool:
    """By its Content-Type: an answer to HEAD, one cut off, one that was not kept."""
    media_type = next((value for name, value in call.response_headers if name == "content-type" and value), "")
    return form_of(media_type)[0] in _OBJECT_FORMS


def _metadata(body: Body) -> dict[str, str]:
    names = {"name": 1, "namespace": 3, "uid": 5, "resourceVersion": 6}
    if isinstance(body.object, Message):
        meta = body.object.at(1)
        return {name: meta.text(number) if meta else "" for name, number in names.items()}
    found: Any = body.object.get("metadata") if isinstance(body.object, dict) else None
    return {name: value if isinstance(found, dict) and isinstance(value := found.get(name), str) else "" for name in names}
