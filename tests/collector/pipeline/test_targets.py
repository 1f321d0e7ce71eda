from typing import Any

from support.judged_events import body, call, piece

from chaperone.collector.pipeline.targets import FRESH_NS, LIMIT, Targets
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.rules.words import UnknownError, read

NOW = 1_000 * FRESH_NS


def pod(name: str = "web", privileged: bool = True) -> dict[str, Any]:
    container = {"image": "nginx:1", "securityContext": {"privileged": privileged}}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}}


def answered(tree: Any, verb: str = "get", **changed: Any) -> Event:
    return call(Moment.END, resource="pods", verb=verb, name="", responseBody=body(tree), **changed)


def privileged(targets: Targets, name: str = "web", now: int = NOW, **changed: Any) -> bool | None:
    asked = call(resource="pods", subresource="exec", name=name, **changed)
    try:
        return bool(read("target.privileged", asked.with_lookup(targets.of(asked, now))))
    except UnknownError:
        return None


def test_a_pod_that_was_read_is_known_and_another_is_not() -> None:
    targets = Targets()
    targets.learn(answered(pod()), NOW)
    assert (privileged(targets), privileged(targets, "other")) == (True, None)


def test_lists_creations_and_watch_events_teach_too() -> None:
    targets = Targets()
    targets.learn(answered({"kind": "PodList", "items": [pod("a"), pod("b", privileged=False)]}, "list"), NOW)
    targets.learn(answered(pod("c"), "create", code=201), NOW)
    event = piece("event", "", resource="pods", verb="watch", name="")
    told = {"type": "ADDED", "object": pod("d")}
    targets.learn(Event(event.subject, event.moment, event.time, event.document, {**event.piece, "body": body(told)}), NOW)
    assert [privileged(targets, name) for name in "abcd"] == [True, False, True, True]


def test_what_is_deleted_old_or_of_another_cluster_or_session_is_unknown() -> None:
    targets = Targets()
    targets.learn(answered(pod()), NOW)
    assert privileged(targets, now=NOW + FRESH_NS + 1) is None
    assert privileged(targets, authority="other:6443") is None
    assert privileged(targets, session="6" * 32) is None
    targets.learn(call(Moment.END, resource="pods", verb="delete", name="web"), NOW)
    assert privileged(targets) is None


def test_a_refusal_and_a_table_teach_nothing() -> None:
    targets = Targets()
    targets.learn(answered(pod(), code=403), NOW)
    targets.learn(answered({"kind": "Table", "rows": [{"object": pod()}]}, "list"), NOW)
    targets.learn(answered({"kind": "PodList", "items": ["x", {"metadata": 1}]}, "list"), NOW)
    assert privileged(targets) is None


def test_a_bounded_number_is_kept() -> None:
    targets = Targets()
    targets.learn(answered({"kind": "PodList", "items": [pod(f"p{n}") for n in range(LIMIT + 5)]}, "list"), NOW)
    assert (privileged(targets, "p0"), privileged(targets, f"p{LIMIT}")) == (None, True)
