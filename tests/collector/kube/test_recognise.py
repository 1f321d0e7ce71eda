import pytest

from chaperone.collector.kube.recognise import (
    audit_id,
    is_api_path,
    is_apiserver,
    is_apiserver_answer,
    is_kubernetes_client,
    likely_coding,
    likely_type,
)


def test_a_known_address_with_or_without_its_default_port() -> None:
    known = frozenset({"10.0.0.1:443", "api.example.com:6443", "[::1]:443"})
    assert is_apiserver("10.0.0.1", known)
    assert is_apiserver("10.0.0.1:443", known)
    assert is_apiserver("API.example.com:6443", known)
    assert is_apiserver("[::1]", known)
    assert is_apiserver("a:443", frozenset({"a"}))
    assert not is_apiserver("api.example.com", known)
    assert not is_apiserver("", known)
    assert not is_apiserver(None, known)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pods",
        "/api/v1/namespaces/d/secrets/x",
        "/api/v1/watch/pods",
        "/apis/apps/v1",
        "/apis/apps/v1/deployments",
        "/apis/x.io/v1beta1/y",
    ],
)
def test_paths_of_the_api_alone(path: str) -> None:
    assert is_api_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/version",
        "/healthz",
        "/api/v1/query",
        "/api/v1/repos/x",
        "/api/v2/pods",
        "/apis/me/v1/y",
        "/apis/a.b/latest",
    ],
)
def test_paths_that_others_have_too(path: str) -> None:
    assert not is_api_path(path)


def test_clients_that_speak_kubernetes() -> None:
    kubectl = {"user-agent": ["kubectl/v1.37.1 (linux/amd64) kubernetes/abc"]}
    assert is_kubernetes_client(kubectl, "/version")
    assert is_kubernetes_client(kubectl, "/openapi/v3")
    assert not is_kubernetes_client(kubectl, "/repos/kubernetes")
    assert not is_kubernetes_client({"user-agent": ["curl/8"]}, "/version")
    assert is_kubernetes_client({"accept": ["application/vnd.kubernetes.protobuf,application/json"]}, "/x")
    assert is_kubernetes_client({"kubectl-command": ["kubectl get"]}, "/x")


def test_answers_of_an_apiserver() -> None:
    assert is_apiserver_answer({"audit-id": ["x"]})
    assert is_apiserver_answer({"x-kubernetes-pf-flowschema-uid": ["x"]})
    assert not is_apiserver_answer({"server": ["nginx"]})


def test_an_audit_id_without_its_name_is_recognised_if_there_is_just_one() -> None:
    uuid, other = "0a1b2c3d-1111-4222-8333-444455556666", "1a1b2c3d-1111-4222-8333-444455556666"
    assert audit_id({"audit-id": ["mine"]}, ((None, uuid),)) == "mine"
    assert audit_id({}, ((None, uuid), (None, None), ("date", other))) == uuid
    assert audit_id({}, ((None, uuid), (None, other))) == ""
    assert audit_id({}, ((None, "0a1b2c3d-1111-1222-8333-444455556666"),)) == ""


def test_a_hidden_media_type_is_guessed_by_the_first_byte() -> None:
    assert likely_type(b'{"kind"') == "application/json"
    assert likely_type(memoryview(b"k8s")) == likely_type(b"\x00\x00") == "application/vnd.kubernetes.protobuf"
    assert likely_type(b"") == likely_type(b"\x1f\x8b") == ""


def test_a_hidden_coding_is_gzip_or_none() -> None:
    assert likely_coding(memoryview(b"\x1f\x8b\x08")) == "gzip"
    assert likely_coding(b"{") == likely_coding(b"") == ""
