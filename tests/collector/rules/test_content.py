"""What bodies say, in whatever form an object comes."""

import pytest
from support.judged_events import body

from chaperone.collector.rules import content


def test_a_json_patch_says_what_the_object_would() -> None:
    patch = [
        {"op": "add", "path": "/spec/template/spec/containers/0/securityContext/privileged", "value": True},
        {"op": "add", "path": "/spec/volumes/0/hostPath/path", "value": "/"},
    ]
    assert content.has(patch, "privileged")
    assert content.inside(patch, "hostPath", "path") == ["/"]


def test_a_key_with_another_value_does_not_count() -> None:
    assert not content.has({"securityContext": {"privileged": False}}, "privileged")
    assert not content.has({"privileged": 1}, "privileged")


@pytest.mark.parametrize(
    ("tree", "count"),
    [
        ({"kind": "SecretList", "items": [1, 2]}, 2),
        ({"kind": "Table", "rows": [1, 2, 3]}, 3),
        ({"kind": "SecretList", "items": None}, 0),
        ({"kind": "Secret"}, 1),
        ({"kind": "Status"}, 0),
        (None, 0),
    ],
)
def test_objects_are_counted_in_lists_tables_and_alone(tree: object, count: int) -> None:
    assert content.object_count(tree) == count


def test_a_body_that_is_cut_off_or_no_json_is_unread() -> None:
    for changed in ({"complete": False}, {"data": "{"}, {"data": None}, {"encoding": "base64"}):
        with pytest.raises(content.UnreadError):
            content.parsed(body({"a": 1}, **changed))
    assert content.parsed(None) is None


def test_a_deep_or_wide_tree_is_walked_to_a_limit() -> None:
    tree: dict[str, object] = {}
    for _ in range(100_000):
        tree = {"a": tree}
    assert not content.has(tree, "b")


def test_a_body_in_yaml_is_read_as_the_apiserver_does_and_anchors_are_unread() -> None:
    assert content.parsed({**body({}), "form": "yaml", "data": "spec: {privileged: yes, at: 2026-01-01, 1: x}"}) == {
        "spec": {"privileged": True, "at": "2026-01-01", "1": "x"}
    }
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    for text in (bomb, "a: [", "a: 1\n---\nb: 2\n", "a: " + "x" * content.YAML_LIMIT, "a: !!python/object:os.system {}"):
        with pytest.raises(content.UnreadError):
            content.parsed({**body({}), "form": "yaml", "data": text})
    with pytest.raises(content.UnreadError):
        content.parsed({**body({}), "form": "text", "data": "a: 1"})
