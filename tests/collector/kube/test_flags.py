"""The rules behind hasRequestObject, hasResponseObject and objectRef, beyond what the recordings show (test_truth.py)."""

import json

import pytest
from support import protobufs
from support.talks import JSON, PROTOBUF, answered, asked, final, talk

from chaperone.collector.kube.call import Call
from chaperone.collector.kube.flags import has_request_object, has_response_object

PODS = "/api/v1/namespaces/d/pods"
POD = json.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "uid": "u-1", "resourceVersion": "7"}}).encode()


def call(
    method: str, target: str, body: bytes = b"", code: int = 200, answer: bytes = b"{}", media_type: str = JSON, **headers: str
) -> Call:
    return final(talk(asked(method, target, body, **headers), answered(code, answer, media_type)))


def status(code: int, reason: str, message: str) -> bytes:
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}
    ).encode()


@pytest.mark.parametrize(("method", "target"), [("POST", PODS), ("PUT", PODS + "/web"), ("POST", "/api/v1/pods")])
def test_a_decoded_object_completes_the_reference(method: str, target: str) -> None:
    found = call(method, target, POD, Content_Type=JSON)
    assert (found.info.name, found.info.uid, found.info.resource_version) == ("web", "u-1", "7")
    assert has_request_object(found)


def test_a_namespace_comes_from_the_object_where_the_url_has_none() -> None:
    body = b'{"kind":"Pod","metadata":{"name":"a","namespace":"other"}}'
    assert call("POST", "/api/v1/pods", body).info.namespace == "other"
    assert call("POST", PODS, body).info.namespace == "d"


def test_protobuf_names_the_object_too() -> None:
    body = protobufs.envelope("v1", "Pod", protobufs.metadata("web", "d", "u-1", "7"))
    found = call("POST", PODS, body, Content_Type=PROTOBUF)
    assert (found.info.name, found.info.uid, found.info.resource_version) == ("web", "u-1", "7")


def test_a_name_that_the_server_makes_up_is_not_in_the_request() -> None:
    found = call("POST", PODS, b'{"kind":"Pod","metadata":{"generateName":"web-"}}', answer=POD)
    assert (found.info.name, has_request_object(found)) == ("", True)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_patches_and_options_are_objects_that_name_nothing(method: str) -> None:
    found = call(method, PODS + "/web", POD, Content_Type="application/merge-patch+json")
    assert (has_request_object(found), found.info.uid) == (True, "")


@pytest.mark.parametrize(
    ("code", "reason", "message", "decoded"),
    [
        (201, "", "", True),
        (409, "AlreadyExists", 'pods "web" already exists', True),
        (422, "Invalid", "Pod is invalid", True),
        (404, "NotFound", 'namespaces "d" not found', True),
        (404, "NotFound", "the server could not find the requested resource", False),
        (403, "Forbidden", 'pods is forbidden: User "x" cannot create resource "pods"', False),
        (403, "Forbidden", 'pods "web" is forbidden: exceeded quota', True),
        (401, "Unauthorized", "Unauthorized", False),
        (415, "UnsupportedMediaType", "the body of the request was in an unknown format", False),
        (429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", True),
        (422, "Invalid", 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "x": supported values: "All"', False),
        (422, "Invalid", 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "x"', True),
        (400, "BadRequest", 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.x"', False),
        (400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request", True),
    ],
)
def test_an_early_refusal_leaves_the_body_undecoded(code: int, reason: str, message: str, decoded: bool) -> None:
    found = call("POST", PODS, POD, code, status(code, reason, message), Content_Type=JSON)
    assert has_request_object(found) is decoded
    assert found.info.name == ("web" if decoded else "")
    assert has_response_object(found)


def test_a_refusal_by_flow_control_comes_before_the_body() -> None:
    found = call("POST", PODS, POD, 429, b"Too many requests, please try again later.\n", "text/plain; charset=utf-8", Content_Type=JSON)
    assert (has_request_object(found), has_response_object(found), found.info.name) == (False, False, "")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/healthz"),
        ("POST", PODS + "/web/proxy/x"),
        ("POST", PODS + "/web/exec"),
        ("POST", "/apis/metrics.k8s.io/v1beta1/pods"),
        ("GET", PODS),
    ],
)
def test_requests_whose_bodies_no_handler_decodes(method: str, target: str) -> None:
    assert not has_request_object(call(method, target, POD, Content_Type=JSON))


def test_a_body_that_cannot_be_decoded_is_no_object() -> None:
    assert not has_request_object(call("POST", PODS, b"{bad", 400, status(400, "BadRequest", "json parse error"), Content_Type=JSON))
    assert not has_request_object(call("POST", PODS, POD, 415, status(415, "x", "x"), Content_Type="application/x-www-form-urlencoded"))


@pytest.mark.parametrize(
    ("target", "code", "media_type", "answer", "is_object"),
    [
        (PODS, 200, JSON, b'{"kind":"PodList","apiVersion":"v1"}', True),
        ("/api", 200, JSON, b'{"kind":"APIVersions"}', True),
        ("/apis/apps/v1", 200, JSON, b'{"kind":"APIResourceList"}', True),
        ("/version", 200, JSON, b'{"major":"1"}', False),
        ("/openapi/v2", 200, JSON, b'{"swagger":"2.0"}', False),
        ("/openapi/v3", 200, "text/plain; charset=utf-8", b'{"paths":{}}', False),
        ("/healthz", 200, "text/plain; charset=utf-8", b"ok", False),
        ("/metrics", 403, JSON, status(403, "Forbidden", "no"), True),
        ("/nothing/here", 404, "text/plain; charset=utf-8", b"404 page not found\n", False),
        (PODS + "/web/log", 200, "text/plain", b"line\n", False),
        (PODS + "/web/log", 400, JSON, status(400, "BadRequest", "container not valid"), True),
        (PODS + "/web/exec?command=sh", 403, JSON, status(403, "Forbidden", 'User "x" cannot'), True),
        (PODS + "/web/proxy/", 200, JSON, b'{"kind":"Pod"}', False),
        (PODS + "?watch=1", 200, JSON, b'{"type":"ADDED","object":{"kind":"Pod"}}\n', False),
        (PODS + "?watch=1", 410, JSON, status(410, "Expired", "too old"), True),
        ("/apis/metrics.k8s.io/v1beta1/nodes", 200, JSON, b'{"kind":"NodeMetricsList"}', False),
        ("/apis/metrics.k8s.io/v1beta1/nodes/n", 404, JSON, status(404, "NotFound", 'nodes "n" not found'), False),
        ("/apis/metrics.k8s.io/v1beta1/nodes", 403, JSON, status(403, "Forbidden", 'nodes is forbidden: User "x" cannot list'), True),
        (PODS, 304, JSON, b"", False),
        (PODS, 406, JSON, status(406, "NotAcceptable", "only the following media types are accepted"), False),
    ],
)
def test_answers_that_are_objects(target: str, code: int, media_type: str, answer: bytes, is_object: bool) -> None:
    assert has_response_object(call("GET", target, b"", code, answer, media_type, User_Agent="kubectl")) is is_object


def test_an_answer_to_head_is_an_object_by_its_type() -> None:
    head = b"HTTP/1.1 405 X\r\nContent-Type: application/json\r\nContent-Length: 229\r\n\r\n"
    assert has_response_object(final(talk(asked("HEAD", PODS), head)))


def test_an_answer_cut_off_is_an_object_by_its_type() -> None:
    found = final(talk(asked("GET", PODS), answered(200, b'{"kind":"PodList"}')[:-4]))
    assert not found.complete
    assert has_response_object(found)
