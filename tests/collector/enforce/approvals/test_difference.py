from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.enforce.approvals.difference import LINES, VALUE, difference

POD = {
    "metadata": {"name": "web", "uid": "1", "resourceVersion": "7", "labels": {"app": "web"}, "managedFields": [{"a": 1}]},
    "spec": {"replicas": 1, "containers": [{"name": "main", "image": "a:1", "args": ["x"]}], "hostNetwork": False},
    "status": {"phase": "Running"},
}


def changed(**spec: Any) -> dict[str, Any]:
    return {**POD, "spec": {**POD["spec"], **spec}}


def test_an_update_is_told_against_what_was_seen() -> None:
    sent = changed(replicas=5, containers=[{"name": "main", "image": "b:2", "args": ["x"], "securityContext": {"privileged": True}}])
    del sent["spec"]["hostNetwork"]
    sent["metadata"] = {"name": "web", "labels": {"app": "web"}}
    assert difference(POD, sent, "update") == [
        '~ spec.containers.[main].image: "a:1" → "b:2"',
        "+ spec.containers.[main].securityContext.privileged: true",
        "- spec.hostNetwork: false",
        "~ spec.replicas: 1 → 5",
    ]


def test_what_is_new_is_told_whole() -> None:
    role = {"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [{"verbs": ["*"], "resources": ["*"]}]}
    assert difference(None, role, "create") == [
        '+ kind: "ClusterRole"',
        '+ metadata.name: "all"',
        '+ rules.[0].resources: ["*"]',
        '+ rules.[0].verbs: ["*"]',
    ]


def test_a_patch_changes_what_it_names_and_null_removes() -> None:
    patch = {"spec": {"replicas": 3, "hostNetwork": None, "containers": [{"name": "main", "image": "c:3"}]}}
    assert difference(POD, patch, "patch") == [
        '~ spec.containers.[main].image: "a:1" → "c:3"',
        "- spec.hostNetwork: false",
        "~ spec.replicas: 1 → 3",
    ]
    assert difference(None, {"a": None}, "patch") == ["- a"]


def test_a_json_patch_says_itself_what_it_does() -> None:
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 3}, {"op": "remove", "path": "/spec/hostNetwork"}, "odd"]
    assert difference(POD, patch, "patch") == ["replace /spec/replicas: 3", "remove /spec/hostNetwork"]


def test_a_removal_and_what_has_no_object() -> None:
    assert difference(POD, None, "delete") == ["- the whole object"]
    assert difference(POD, {"kind": "DeleteOptions"}, "deletecollection") == ["- every object that the request selects"]
    assert difference(POD, None, "create") == [] == difference(None, "text", "create")


def test_it_is_bounded() -> None:
    found = difference(None, {f"k{number:03}": "v" * 1000 for number in range(100)}, "create")
    assert len(found) == LINES + 1 and found[-1] == f"… {100 - LINES} more"
    assert all(len(line) < VALUE + 20 for line in found)
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    assert len(difference(None, deep, "create")) == 1


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(TREES, TREES, st.sampled_from(["create", "update", "patch", "delete", "get"]))
def test_no_tree_is_too_odd_and_equal_objects_have_no_difference(before: Any, sent: Any, verb: str) -> None:
    difference(before, sent, verb)
    if isinstance(sent, dict):
        assert difference(sent, sent, "update") == []
