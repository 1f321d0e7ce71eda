"""What an object becomes. The process itself: test_source.py."""

import socket
from typing import Any

from support.pod_api import pod

from chaperone.agent.cluster.messages import MESSAGE_LIMIT, Message, NamespaceTold, PodTold, ServersTold, unpack
from chaperone.agent.cluster.watcher import Speaker, kinds, watch_of
from chaperone.agent.pods.facts import PodFacts


def told(name: str, item: dict[str, Any] | None, key: tuple[str, str] = ("demo", "x")) -> Message:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        watch_of(name, kinds("n1")[name], Speaker(theirs)).kind.told(key, item)
        return unpack(ours.recv(MESSAGE_LIMIT))


def test_each_kind_has_its_word() -> None:
    assert told("pods", pod("x", "u")) == PodTold("demo/x", PodFacts(("u",), "demo", "x"))
    assert told("pods", None) == told("pods", {"metadata": 7}) == PodTold("demo/x")
    assert told("namespaces", {"metadata": {"labels": {"a": "b", "c": 3}}}) == NamespaceTold("x", {"a": "b"})
    assert told("namespaces", {"metadata": 7}) == NamespaceTold("x", {})
    assert told("services", {"spec": {"clusterIP": "10.0.0.1"}}) == ServersTold("service x", ("10.0.0.1:443",))
    assert told("services", None) == ServersTold("service x") and told("endpointslices", None) == ServersTold("slice x")


def test_a_pod_that_does_not_fit_keeps_what_decides() -> None:
    images = [{"containerID": f"containerd://{number:064}", "name": "x", "image": "\U0001f980" * 256} for number in range(64)]
    huge = pod("x", "u", labels={"chaperone.dev/govern": "record", "a": "b"}, status={"containerStatuses": images})
    assert told("pods", huge) == PodTold("demo/x", PodFacts(("u",), "demo", "x", labels={"chaperone.dev/govern": "record"}))
