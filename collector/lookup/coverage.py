"""Which containers are to be governed, and of these, which nobody observes and why. Pure.

A container is observed if a session of it is open: the agent begins one for each selected container, whether it speaks or not. Of what
runs in a sandbox an agent sees the sandbox only, so that there a session proves nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chaperone.collector.lookup.cluster import Cluster, Object
from chaperone.collector.parts import mapping, text
from chaperone.collector.rules.document import Policy
from chaperone.collector.rules.selector import EVERYTHING
from chaperone.collector.rules.terms import Mode

LABEL = "chaperone.dev/govern"
GOVERNING = ("record", "enforce")
NEVER = "kube-system"
FRESH_S = 60.0  # a container that young may not have been met yet
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
SANDBOXES = {"gvisor": "gVisor", "runsc": "gVisor", "kata": "Kata Containers", "firecracker": "a virtual machine"}
VIRTUAL = ("virtual-kubelet", "virtual-node")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the collector knows: nodes whose agent is connected, containers of which a session is open; `now`: Unix time."""

    nodes: frozenset[str]
    containers: frozenset[str]
    now: float


@dataclass(frozen=True, slots=True)
class Running:
    """A container that runs and is selected. `id`: the runtime's; `why`: it is not observed; "" if it is."""

    namespace: str
    pod: str
    container: str
    id: str
    node: str
    why: str = ""


def coverage(found: Cluster, policies: Iterable[Policy], seen: Observed, own: str = "") -> list[Running]:
    """All containers that are to be governed. `own`: Chaperone's namespace."""
    nodes, spaces = {_name(node): node for node in found.nodes}, {_name(one): _labels(one) for one in found.namespaces}
    handlers = {_name(one): str(one.get("handler", "")) for one in found.runtimes}
    choosing = [policy for policy in policies if policy.selector != EVERYTHING and policy.terms.mode is not Mode.OFF]
    result = []
    for pod in found.pods:
        space, node = text(mapping(pod, "metadata"), "namespace"), nodes.get(text(mapping(pod, "spec"), "nodeName"), {})
        is_labelled = bool({_labels(pod).get(LABEL), spaces.get(space, {}).get(LABEL)} & set(GOVERNING))
        for status in _running(pod) if space not in (NEVER, own) else ():
            if is_labelled or any(policy.selector.concerns(_session(pod, status)) for policy in choosing):
                result.append(_judged(pod, status, _obstacle(pod, node, handlers) or _unseen(pod, status, seen)))
    return result


def _judged(pod: Object, status: Object, why: str) -> Running:
    about, node = mapping(pod, "metadata"), text(mapping(pod, "spec"), "nodeName")
    return Running(text(about, "namespace"), text(about, "name"), text(status, "name"), _id(status), node, why)


def _id(status: Object) -> str:
    return text(status, "containerID").rpartition("//")[2]


def _session(pod: Object, status: Object) -> dict[str, Any]:
    """As far as selectors ask: the document of its session."""
    spec, namespace = mapping(pod, "spec"), text(mapping(pod, "metadata"), "namespace")
    account = f"{namespace}:{text(spec, 'serviceAccountName')}"
    known = {"namespace": namespace, "serviceAccount": account, "container": text(status, "name")}
    return {"node": text(spec, "nodeName"), "labels": _labels(pod), "lookedUp": known}


def _obstacle(pod: Object, node: Object, handlers: Mapping[str, str]) -> str:
    """What keeps any agent from seeing into it."""
    info, about = mapping(mapping(node, "status"), "nodeInfo"), mapping(pod, "spec")
    runtime = text(about, "runtimeClassName")
    handler = f"{runtime} {handlers.get(runtime, '')}".lower()
    if sandbox := next((name for word, name in SANDBOXES.items() if word in handler), ""):
        return f"runs in {sandbox}"
    if text(info, "operatingSystem") == "windows":
        return "its node runs Windows"
    if text(_labels(node), "type") in VIRTUAL or any(word in str(_taints(node)) for word in VIRTUAL):
        return "its node is a virtual kubelet"
    if (machine := text(info, "architecture")) not in ("", "amd64"):
        return f"its node is {machine}"
    return ""


def _unseen(pod: Object, status: Object, seen: Observed) -> str:
    if _id(status) in seen.containers or seen.now - _since(status) < FRESH_S:
        return ""
    is_called = text(mapping(pod, "spec"), "nodeName") in seen.nodes
    return "its node's agent has no session of it" if is_called else "no agent calls from its node"


def _running(pod: Object) -> Iterator[Object]:
    for name in STATUSES:
        statuses = mapping(pod, "status").get(name)
        for status in statuses if isinstance(statuses, list) else ():
            if isinstance(status, dict) and "running" in mapping(status, "state"):
                yield status


def _since(status: Object) -> float:
    try:
        return datetime.fromisoformat(text(mapping(mapping(status, "state"), "running"), "startedAt")).timestamp()
    except ValueError:
        return 0.0


def _taints(node: Object) -> list[str]:
    taints = mapping(node, "spec").get("taints")
    return [text(taint, "key") for taint in taints if isinstance(taint, dict)] if isinstance(taints, list) else []


def _labels(of: Object) -> dict[str, str]:
    return {name: value for name, value in mapping(mapping(of, "metadata"), "labels").items() if isinstance(value, str)}


def _name(of: Object) -> str:
    return text(mapping(of, "metadata"), "name")
