import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.call import RequestInfo
from chaperone.collector.kube.path import EMPTY_SEGMENT, request_info, split_path
from chaperone.collector.kube.url.target import read_target


def info(method: str, sent: str) -> RequestInfo:
    return request_info(method, read_target(sent))[0]


def doubts(sent: str) -> tuple[str, ...]:
    return request_info("GET", read_target(sent))[1]


# verb, group, version, namespace, resource, subresource, name; after requestinfo_test.go (TestGetAPIRequestInfo)
RESOURCES = [
    ("GET", "/api/v1/namespaces", "list", "", "", "namespaces", "", ""),
    ("GET", "/api/v1/namespaces/other", "get", "", "other", "namespaces", "", "other"),
    ("GET", "/api/v1/namespaces/other/pods", "list", "", "other", "pods", "", ""),
    ("GET", "/api/v1/namespaces/other/pods/foo", "get", "", "other", "pods", "", "foo"),
    ("HEAD", "/api/v1/namespaces/other/pods/foo", "get", "", "other", "pods", "", "foo"),
    ("HEAD", "/api/v1/secrets", "list", "", "", "secrets", "", ""),
    ("GET", "/api/v1/pods", "list", "", "", "pods", "", ""),
    ("POST", "/api/v1/pods", "create", "", "", "pods", "", ""),
    ("GET", "/api/v1/namespaces/other/pods/foo/status", "get", "", "other", "pods", "status", "foo"),
    ("GET", "/api/v1/namespaces/other/finalize", "get", "", "other", "namespaces", "finalize", "other"),
    ("PUT", "/api/v1/namespaces/other/finalize", "update", "", "other", "namespaces", "finalize", "other"),
    ("PUT", "/api/v1/namespaces/other/status", "update", "", "other", "namespaces", "status", "other"),
    ("PATCH", "/api/v1/namespaces/other/pods/foo", "patch", "", "other", "pods", "", "foo"),
    ("DELETE", "/api/v1/namespaces/other/pods/foo", "delete", "", "other", "pods", "", "foo"),
    ("DELETE", "/api/v1/nodes", "deletecollection", "", "", "nodes", "", ""),
    ("DELETE", "/api/v1/namespaces", "deletecollection", "", "", "namespaces", "", ""),
    ("DELETE", "/api/v1/namespaces/other/pods?fieldSelector=metadata.name%3Dx", "deletecollection", "", "other", "pods", "", ""),
    ("OPTIONS", "/api/v1/pods", "", "", "", "pods", "", ""),
    ("get", "/api/v1/pods", "", "", "", "pods", "", ""),
    ("GET", "/api/v1/proxy/namespaces/other/pods/foo", "proxy", "", "other", "pods", "", "foo"),
    ("GET", "/api/v1/proxy/namespaces/other/pods/foo/sub/path", "proxy", "", "other", "pods", "", "foo"),
    ("DELETE", "/api/v1/watch/namespaces/other/pods/foo", "watch", "", "other", "pods", "", "foo"),
    ("GET", "/api/v1/watch/pods", "watch", "", "", "pods", "", ""),
    ("GET", "/apis/apps/v1/namespaces/d/deployments/web/scale", "get", "apps", "d", "deployments", "scale", "web"),
    ("GET", "/apis/apps/v1/deployments?watch=true", "watch", "apps", "", "deployments", "", ""),
    (
        "GET",
        "/apis/apps/v1/namespaces/d/deployments?fieldSelector=metadata.name%3Dweb&watch=1",
        "watch",
        "apps",
        "d",
        "deployments",
        "",
        "web",
    ),
    ("GET", "/apis/apps/v1/namespaces/d/deployments/web?watch=1", "get", "apps", "d", "deployments", "", "web"),
    ("GET", "/api/v1/namespaces/d/pods/p/exec?command=sh", "get", "", "d", "pods", "exec", "p"),
    ("POST", "/api/v1/namespaces/d/pods/p/exec?command=sh", "create", "", "d", "pods", "exec", "p"),
    ("GET", "/api/v1/namespaces/d/services/http:srv:8000/proxy/a/b", "get", "", "d", "services", "proxy", "http:srv:8000"),
    ("POST", "/api/v1/nodes/n:10250/proxy/run/ns/p/c", "create", "", "", "nodes", "proxy", "n:10250"),
    ("POST", "/api/v1/namespaces/d/serviceaccounts/a/token", "create", "", "d", "serviceaccounts", "token", "a"),
    ("GET", "/api/v1/namespaces/d/pods/", "list", "", "d", "pods", "", ""),
    ("GET", "//api/v1/pods//", "list", "", "", "pods", "", ""),
    ("GET", "/api/v1//pods", "get", "", "", "", "", "pods"),
    ("GET", "/api/v1/namespaces/a%2Fb/pods", "get", "", "a", "b", "", "pods"),
    ("GET", "/api/v1/namespaces/d/pods/a%20b", "get", "", "d", "pods", "", "a b"),
]


@pytest.mark.parametrize(("method", "sent", "verb", "group", "namespace", "resource", "subresource", "name"), RESOURCES)
def test_resource_requests(
    method: str, sent: str, verb: str, group: str, namespace: str, resource: str, subresource: str, name: str
) -> None:
    assert info(method, sent) == RequestInfo(verb, True, group, "v1", resource, subresource, namespace, name)


@pytest.mark.parametrize(
    "sent",
    [
        "/",
        "/version",
        "/healthz",
        "/api",
        "/api/v1",
        "/apis",
        "/apis/apps",
        "/apis/apps/v1",
        "/openapi/v3/apis/apps/v1",
        "/logs/a/b/c",
        "/x/y/z",
    ],
)
def test_other_requests_have_the_method_as_verb_and_nothing_else(sent: str) -> None:
    assert info("GET", sent) == RequestInfo("get", False)
    assert info("POST", sent) == RequestInfo("post", False)


def test_a_path_of_a_prefix_verb_only_is_doubted() -> None:
    assert info("GET", "/api/v1/watch").resource == ""
    assert doubts("/api/v1/watch")


def test_segments_that_a_proxy_may_normalise_are_doubted_but_not_a_backends() -> None:
    assert doubts("/api/v1/namespaces/d/../secrets") == (EMPTY_SEGMENT,)
    assert doubts("/api/v1/namespaces//secrets") == (EMPTY_SEGMENT,)
    assert doubts("/api/v1/namespaces/d/services/s/proxy/a/../b//c") == ()


def test_query_doubts_reach_the_caller() -> None:
    assert doubts("/api/v1/pods?watch=1;limit=2")
    assert doubts("/api/v1/pods?watch=1") == ()


@given(
    st.sampled_from(["GET", "DELETE", "POST", "BREW"]),
    st.lists(st.sampled_from(["api", "apis", "v1", "namespaces", "watch", "proxy", "a", "", "%2F", "status"]), max_size=9),
)
def test_any_path_has_a_verb_and_a_resource(method: str, parts: list[str]) -> None:
    found = info(method, "/" + "/".join(parts))
    assert found.is_resource or not (found.resource or found.name or found.namespace)
    assert split_path("/".join(parts)) is not None
