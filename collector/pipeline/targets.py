"""What is known of pods from the traffic itself: answers about pods, and watch events. kubectl reads a pod before it execs into it.

A fact is used for FRESH_NS only, as the pod may have been replaced by somebody who is not watched; what an agent reads about one cluster
says nothing of another (the authority is part of the key), and what one session was told nothing to another: it may have been lied to.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chaperone.collector.rules import content
from chaperone.collector.rules.event import Document, Event, Subject
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.times import SECOND

LIMIT = 2_000  # pods of all sessions
FRESH_NS = 60 * SECOND
READS = frozenset({"get", "list", "create", "update", "patch", "apply"})
Pod = tuple[str, str, str, str]  # session, authority, namespace, name

_OTHERS = (Subject.EGRESS, Subject.SECRET, Subject.TLS)


class Targets:
    """The pods seen lately."""

    def __init__(self) -> None:
        self._pods: dict[Pod, tuple[int, Document]] = {}

    def of(self, event: Event, now_ns: int) -> Document:
        """What is known of the pod that a call is about, as an event's `lookup`."""
        call = event.document
        if event.subject in _OTHERS or call["resource"] != "pods" or not call["name"]:
            return event.lookup
        if "target" in event.lookup:
            return event.lookup  # the API itself said it
        since, facts = self._pods.get(_pod(call, call["namespace"], call["name"]), (0, {}))
        return {**event.lookup, "target": facts} if now_ns - since <= FRESH_NS else event.lookup

    def learn(self, event: Event, now_ns: int) -> None:
        """What an answer or a watch event tells."""
        call = event.document
        if event.subject in _OTHERS or call["resource"] != "pods":
            return
        if event.subject is Subject.CHANNEL:
            self._watched(event, now_ns)
        elif event.moment is Moment.END and 200 <= (call.get("code") or 0) < 300:
            self._answered(call, now_ns)

    def _answered(self, call: Document, now_ns: int) -> None:
        if call["verb"] in ("delete", "deletecollection"):
            self._forget(call)
        elif call["verb"] in READS and call["subresource"] in ("", "ephemeralcontainers"):
            for pod in _pods_in(_tree(call["responseBody"])):
                self._note(call, pod, now_ns)

    def _watched(self, event: Event, now_ns: int) -> None:
        if event.document["verb"] != "watch" or event.piece["channel"] != "event":
            return
        told = _tree(event.piece["body"])
        if isinstance(told, Mapping) and isinstance(pod := told.get("object"), Mapping):
            if told.get("type") == "DELETED":
                self._pods.pop(_pod(event.document, *_named(pod)), None)
            elif told.get("type") in ("ADDED", "MODIFIED"):
                self._note(event.document, pod, now_ns)

    def _note(self, call: Document, pod: Mapping[str, Any], now_ns: int) -> None:
        key = _pod(call, *_named(pod))
        if isinstance(pod.get("spec"), Mapping) and all(key):
            self._pods.pop(key, None)
            self._pods[key] = now_ns, content.pod_facts(pod)
            while len(self._pods) > LIMIT:
                del self._pods[next(iter(self._pods))]

    def _forget(self, call: Document) -> None:
        gone = [key for key in self._pods if key[:3] == _pod(call, call["namespace"], "")[:3] and call["name"] in ("", key[3])]
        for key in gone:
            del self._pods[key]


def _pods_in(answer: Any) -> Iterator[Mapping[str, Any]]:
    """A pod, or those of a list; a table has none."""
    if isinstance(answer, Mapping):
        items = answer.get("items") if str(answer.get("kind", "")).endswith("List") else [answer]
        yield from (item for item in items if isinstance(item, Mapping)) if isinstance(items, list) else ()


def _named(pod: Mapping[str, Any]) -> tuple[str, str]:
    about = pod.get("metadata")
    return (str(about.get("namespace", "")), str(about.get("name", ""))) if isinstance(about, Mapping) else ("", "")


def _pod(call: Document, namespace: str, name: str) -> Pod:
    return str(call["session"]), str(call["authority"]), namespace, name


def _tree(body: Document | None) -> Any:
    try:
        return content.parsed(body)
    except content.UnreadError:
        return None
