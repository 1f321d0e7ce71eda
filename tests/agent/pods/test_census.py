"""What was told, kept."""

from chaperone.agent.cluster.messages import Listed, NamespaceTold, PodTold, ServersTold, Trouble
from chaperone.agent.pods.census import GONE_NS, Census
from chaperone.agent.pods.facts import PodFacts

FIRST, MIRROR = PodFacts(("u1",), "demo", "a"), PodFacts(("api", "file"), "kube", "static")


def test_a_pod_is_found_by_each_of_its_uids() -> None:
    census = Census()
    census.take(PodTold("kube/static", MIRROR), 0)
    assert census.pod("api") == census.pod("file") == MIRROR
    assert census.pod("other") is None and census.pods() == (MIRROR,)


def test_one_that_went_is_remembered_for_a_while() -> None:
    census = Census()
    census.take(PodTold("demo/a", FIRST), 0)
    census.take(PodTold("demo/a"), 5)
    assert census.pods() == () and census.pod("u1") == FIRST
    census.take(PodTold("demo/b", PodFacts(("u3",), "demo", "b")), 6)
    census.take(PodTold("demo/b"), 5 + GONE_NS)
    assert census.pod("u1") is None and census.pod("u3")


def test_another_pod_of_the_same_name_is_another() -> None:
    census = Census()
    again = PodFacts(("u2",), "demo", "a")
    census.take(PodTold("demo/a", FIRST), 0)
    census.take(PodTold("demo/a", again), 1)
    assert census.pod("u1") == FIRST and census.pod("u2") == again and census.pods() == (again,)


def test_what_is_not_told_anew_is_gone() -> None:
    census = Census()
    for name in ("a", "b"):
        census.take(PodTold(f"demo/{name}", PodFacts((name,), "demo", name)), 0)
    census.begin_again()
    census.take(PodTold("demo/b", PodFacts(("b",), "demo", "b")), 1)
    assert len(census.pods()) == 2, "nobody has said so yet"
    census.take(Listed("pods"), 2)
    assert [facts.name for facts in census.pods()] == ["b"] and census.pod("a")


def test_it_is_complete_when_pods_and_namespaces_were_listed() -> None:
    census = Census()
    census.take(Trouble("pods", 403, "the API server answers 403"), 0)
    census.take(Listed("namespaces"), 0)
    assert not census.is_complete and census.trouble == {"pods": "the API server answers 403"}
    census.take(Listed("pods"), 0)
    census.begin_again()
    assert census.is_complete and census.trouble == {}


def test_namespaces_and_servers_come_and_go() -> None:
    census = Census()
    census.take(NamespaceTold("demo", {"a": "b"}), 0)
    census.take(ServersTold("service kubernetes", ("10.0.0.1:443",)), 0)
    assert census.namespaces == {"demo": {"a": "b"}} and census.servers.addresses(1) == ("10.0.0.1:443",)
    census.take(NamespaceTold("demo"), 0)
    assert census.namespaces == {}
