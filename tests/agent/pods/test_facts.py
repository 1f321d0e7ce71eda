"""Pods as the API shows them, and anything else that JSON can say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.pods.facts import Container, facts_of

UID, HASH = "0f8fad5b-d9cb-469f-a165-70867728950e", "a" * 32
OWNERS = [{"kind": "Cluster", "name": "c"}, {"kind": "ReplicaSet", "name": "coder-5d8", "controller": True}]
WORDS = st.sampled_from(["metadata", "spec", "status", "uid", "name", "labels", "annotations", "containerStatuses", "ownerReferences"])
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda some: st.lists(some) | st.dictionaries(WORDS, some))


def pod(**status: Any) -> dict[str, Any]:
    about = {"uid": UID, "name": "coder", "namespace": "agents", "labels": {"app": "coder"}, "ownerReferences": OWNERS}
    return {"metadata": about, "spec": {"nodeName": "n1", "serviceAccountName": "sa", "runtimeClassName": "gvisor"}, "status": status}


def test_what_is_kept_of_a_pod() -> None:
    facts = facts_of(pod())
    assert facts and (facts.uids, facts.namespace, facts.name, facts.node) == ((UID,), "agents", "coder", "n1")
    assert (facts.service_account, facts.owner, facts.runtime_class) == ("sa", "ReplicaSet/coder-5d8", "gvisor")
    assert (facts.labels, facts.containers, facts.is_host_network) == ({"app": "coder"}, {}, False)


def test_init_and_ephemeral_containers_are_containers() -> None:
    ids = {"initContainerStatuses": "1", "containerStatuses": "2", "ephemeralContainerStatuses": "3"}
    facts = facts_of(pod(**{key: [{"name": f"c{id_}", "image": "i", "containerID": f"containerd://{id_}"}] for key, id_ in ids.items()}))
    assert facts and facts.containers == {id_: Container(id_, f"c{id_}", "i") for id_ in "123"}


def test_a_container_that_was_restarted_keeps_its_earlier_id() -> None:
    last = {"terminated": {"containerID": "cri-o://1"}}
    facts = facts_of(pod(containerStatuses=[{"name": "main", "containerID": "cri-o://2", "lastState": last}]))
    assert facts and {id_: one.name for id_, one in facts.containers.items()} == {"1": "main", "2": "main"}


def test_the_mirror_of_a_static_pod_is_known_by_the_kubelets_uid_too() -> None:
    mirror = pod()
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": HASH}
    mirror["spec"]["hostNetwork"] = True
    facts = facts_of(mirror)
    assert facts and (facts.uids, facts.is_host_network) == ((UID, HASH), True)


@given(JSON, JSON, JSON)
def test_anything_is_facts_or_none(about: Any, spec: Any, status: Any) -> None:
    for odd in (about, {"metadata": about, "spec": spec, "status": status}, pod() | {"spec": spec, "status": status}):
        facts = facts_of(odd)
        assert facts is None or (facts.uids and facts.name)
    assert facts is not None
