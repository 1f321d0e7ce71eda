from chaperone.collector.kube.call import UserSource
from chaperone.collector.kube.head import CODED_REQUEST, UNKNOWN_METHOD, UNKNOWN_TARGET, read_head
from chaperone.collector.wire.events import Header, Protocol, Request


def request(target: str | None, *headers: Header, method: str | None = "GET") -> Request:
    return Request(0, 0, Protocol.HTTP2, method, target, "api:443", headers)


def test_a_head_has_what_every_report_says() -> None:
    head = read_head(request("/api/v1/pods", ("kubectl-command", "kubectl get"), ("user-agent", "kubectl")))
    assert (head.protocol, head.method, head.authority) == ("h2", "GET", "api:443")
    assert (head.info.verb, head.user_agent, head.doubts) == ("list", "kubectl", ())
    assert (head.first("kubectl-command"), head.first("kubectl-session")) == ("kubectl get", "")


def test_an_unknown_target_is_said() -> None:
    head = read_head(request(None, (None, None)))
    assert (head.info.verb, head.info.is_resource, head.doubts) == ("get", False, (UNKNOWN_TARGET,))
    assert head.user.name == ""
    assert read_head(request("/api/v1/pods", method=None)).doubts == (UNKNOWN_METHOD,)


def test_a_request_that_was_not_seen_has_an_unknown_head() -> None:
    head = read_head(None)
    assert (head.method, head.user.source, head.doubts) == ("", UserSource.UNKNOWN, (UNKNOWN_TARGET,))


def test_headers_that_two_readers_could_take_differently_are_said() -> None:
    doubts = read_head(request("/api", ("content-type", "a"), ("content-type", "b"), ("accept", "a"), ("accept", "b"))).doubts
    assert doubts == ("the header content-type is repeated",)
    assert read_head(request("/api", ("content-encoding", "gzip"))).doubts == (CODED_REQUEST,)
    assert read_head(request("/api", ("content-encoding", "identity"))).doubts == ()
