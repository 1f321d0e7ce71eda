"""The session of a container."""

from pathlib import Path

from chaperone.agent.pods.facts import Container, PodFacts
from chaperone.agent.pods.paths import Place
from chaperone.agent.pods.sessions import session_of, unnamed

PLACE = Place("u1", "burstable", 3, "c" * 64)
POD = PodFacts(("u1",), "demo", "agent", "n1", "bot", "Job/x", "gvisor", {"a": "b"}, {"c" * 64: Container("c" * 64, "main", "image")})


def test_its_id_is_known_before_its_names() -> None:
    before = unnamed(PLACE, Path("/g"), 7)
    named = session_of(before, POD, "c" * 64, ("10.0.0.1:443",))
    assert before.id == named.id == before.started.session == named.started.session
    assert unnamed(PLACE, Path("/g"), 8).id != before.id
    started = named.started
    assert (started.workload, started.namespace, started.pod, started.pod_uid) == ("demo/agent/main", "demo", "agent", "u1")
    assert (started.container, started.container_id, started.image) == ("main", "c" * 64, "image")
    assert (started.service_account, started.owner, started.runtime_class, started.node) == ("bot", "Job/x", "gvisor", "n1")
    assert started.labels == {"a": "b"} and started.apiservers == ("10.0.0.1:443",) and started.time == 7


def test_a_container_without_a_name_is_called_by_its_id() -> None:
    started = session_of(unnamed(PLACE, Path("/g"), 7), PodFacts(("u1",), "demo", "agent"), "c" * 64, ()).started
    assert started.workload == "demo/agent/cccccccccccc" and started.container == ""
