"""What the API says about a pod → the facts that are kept with its sessions. Pure; what is missing or odd is "".

A static pod runs under a uid that its kubelet made from its file; the API's mirror of it has another, and names that one in an
annotation: both are the pod's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MIRROR = "kubernetes.io/config.mirror"
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


@dataclass(frozen=True, slots=True)
class Container:
    """One container as it ran. `id`: without the runtime's prefix."""

    id: str
    name: str
    image: str = ""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod. `uids`: all by which its cgroups may be called; `owner`: "Kind/name"; `containers`: by id, those before a restart too."""

    uids: tuple[str, ...]
    namespace: str
    name: str
    node: str = ""
    service_account: str = ""
    owner: str = ""
    runtime_class: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    containers: Mapping[str, Container] = field(default_factory=dict)
    is_host_network: bool = False


def facts_of(pod: Any) -> PodFacts | None:
    """A pod of the API as facts; None for what is none."""
    about, spec = _mapping(pod, "metadata"), _mapping(pod, "spec")
    uids = tuple(dict.fromkeys(filter(None, (text(about, "uid"), text(_mapping(about, "annotations"), MIRROR)))))
    if not (uids and text(about, "name")):
        return None
    texts = (text(spec, "nodeName"), text(spec, "serviceAccountName"), _owner(about), text(spec, "runtimeClassName"))
    labels = {name: value for name, value in _mapping(about, "labels").items() if isinstance(value, str)}
    containers = {one.id: one for one in _containers(_mapping(pod, "status"))}
    is_host_network = spec.get("hostNetwork") is True
    return PodFacts(uids, text(about, "namespace"), text(about, "name"), *texts, labels, containers, is_host_network)


def _containers(status: Mapping[str, Any]) -> Iterator[Container]:
    for one in (one for key in STATUSES for one in items(status, key)):
        ran = [text(_mapping(_mapping(one, which), "terminated"), "containerID") for which in ("lastState", "state")]
        for id_ in filter(None, (*ran, text(one, "containerID"))):
            yield Container(id_.rpartition("//")[2], text(one, "name"), text(one, "image"))


def _owner(about: Mapping[str, Any]) -> str:
    """Whoever controls it: at most one of its owners does."""
    owners = [one for one in items(about, "ownerReferences") if one.get("controller") is True]
    return f"{text(owners[0], 'kind')}/{text(owners[0], 'name')}" if owners else ""


def _mapping(of: Any, key: str) -> Mapping[str, Any]:
    value = of.get(key) if isinstance(of, dict) else None
    return value if isinstance(value, dict) else {}


def items(of: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a list; [] where there is none."""
    value = of.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(of: Mapping[str, Any], key: str) -> str:
    """A text; "" where there is none."""
    value = of.get(key)
    return value if isinstance(value, str) else ""
