"""The startup taint: nodes begin with it, so that nothing runs on them that is not recorded; it goes when their agent is ready.

That an agent is ready its kubelet says, which asks it (docs/network.md): an agent could say so of any node. Nothing else of a node is
touched.
"""

import http.client
import time
from collections.abc import Iterable

import orjson

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import NAME, UnansweredError, answered, json_object
from chaperone.collector.lookup.cluster import ALL_S, PAGE_LIMIT, TIMEOUT_S, Object, listed
from chaperone.collector.parts import mapping, mappings, text

TAINT = "chaperone.dev/agent-not-ready"
AGENTS = {"labelSelector": "app.kubernetes.io/name=chaperone,app.kubernetes.io/component=agent"}
CHANGED = 422, 409  # the node is another one than a moment ago


def agents(access: Access, namespace: str) -> list[Object]:
    """The pods of agents. UnansweredError."""
    return listed(access, f"/api/v1/namespaces/{namespace}/pods", time.monotonic() + ALL_S, AGENTS)


def ready_nodes(pods: Iterable[Object]) -> dict[str, str]:
    """Of each pod that is ready and stays, by its uid, the node."""
    return {text(mapping(pod, "metadata"), "uid"): text(mapping(pod, "spec"), "nodeName") for pod in pods if _is_ready(pod)}


def lift(access: Access, node: str) -> bool:
    """Whether the node had the taint; it has it no more. UnansweredError where that is not known."""
    if not NAME.fullmatch(node):
        return False
    path = f"/api/v1/nodes/{node}"
    status, body = _answer(access, path)
    if status == http.client.NOT_FOUND:
        return False
    found = json_object(body, PAGE_LIMIT) if status == http.client.OK else None
    if found is None:
        raise UnansweredError(f"{access.url} answered {status} when it was asked about node {node}", is_down=False)
    patch = without_taint(mappings(mapping(found, "spec"), "taints"))
    if not patch:
        return False
    status, _ = _answer(access, path, orjson.dumps(patch))
    if status != http.client.OK:
        what = "it changed meanwhile" if status in CHANGED else f"{access.url} answered {status}"
        raise UnansweredError(f"the startup taint of node {node} could not be lifted: {what}", is_down=False)
    return True


def without_taint(taints: list[Object]) -> list[dict[str, str]]:
    """The patch, from the last place on: each is taken out only if it is still what it was. [] where there is nothing to do."""
    places = [f"/spec/taints/{place}" for place, taint in enumerate(taints) if text(taint, "key") == TAINT]
    steps = [({"op": "test", "path": f"{at}/key", "value": TAINT}, {"op": "remove", "path": at}) for at in reversed(places)]
    return [step for pair in steps for step in pair]


def _is_ready(pod: Object) -> bool:
    conditions = mappings(mapping(pod, "status"), "conditions")
    is_ready = any((text(one, "type"), text(one, "status")) == ("Ready", "True") for one in conditions)
    return is_ready and "deletionTimestamp" not in mapping(pod, "metadata")


def _answer(access: Access, path: str, patch: bytes = b"") -> tuple[int, bytes]:
    with answered(access, path, TIMEOUT_S, patch) as answer:
        return answer.status, answer.read(PAGE_LIMIT + 1)
