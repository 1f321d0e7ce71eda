"""A cgroup's path → whose it is: pod, container, quality of service, runtime. Pure.

| driver | path of a container, below the kubelet's `cgroupRoot` (kind: `/kubelet.slice`, `/kubelet`) |
| --- | --- |
| systemd | `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope`, UID with `_` for `-` |
| cgroupfs | `kubepods/burstable/podUID/ID`; CRI-O: `…/crio-ID` |
| systemd's names given to a runtime that uses cgroupfs | `…/kubepods-burstable-podUID.slice:cri-containerd:ID` |

Pods of guaranteed quality lack the part with the quality. What lies below a container is the container's. Sources: kubelet
pkg/kubelet/cm/cgroup_manager_linux.go (names), containerd internal/cri/server/helpers.go, cri-o internal/config/cgmgr.
"""

import re
from dataclasses import dataclass, replace

POD_UID = "[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32}"  # of a static pod the kubelet has a hash
POD = re.compile(rf"(?:(?:[a-z0-9_.-]+-)?kubepods(?:-(?P<qos>burstable|besteffort))?-)?pod(?P<uid>{POD_UID})(?P<slice>\.slice)?")
CONTAINER = re.compile(r"(?:(?P<prefix>[a-z][a-z0-9-]*)-)?(?P<id>[0-9a-f]{64})(?:\.scope)?")
QUALITIES = ("burstable", "besteffort")
RUNTIMES = {"cri-containerd": "containerd", "crio": "cri-o", "docker": "docker"}
MONITORS = frozenset({"crio-conmon", "libpod-conmon"})  # beside a container, not in it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cgroup is. `container`: "" for what belongs to the pod alone; `runtime`: "" where names don't tell.

    `parts`: how many of the path's parts lead to the container (or pod): what follows is nested in it.
    """

    pod_uid: str
    qos: str
    parts: int
    container: str = ""
    runtime: str = ""


def place_of(path: str) -> Place | None:
    """Whose cgroup this is, by its path; the outermost pod's where one runs in another. None: no pod's."""
    parts = [part for part in path.split("/") if part]
    for index, part in enumerate(parts):
        name, _, rest = part.partition(":")
        if match := POD.fullmatch(name):
            pod = Place(_uid(match["uid"]), match["qos"] or _parent_qos(parts[:index]), index + 1)
            return _container(pod, rest.replace(":", "-") if rest else next(iter(parts[index + 1 :]), ""), bool(rest))
    return None


def unified(text: str) -> str:
    """The path in the unified hierarchy, from /proc/PID/cgroup (cgroups(7)); "" where there is none."""
    return next((line.removeprefix("0::") for line in text.splitlines() if line.startswith("0::")), "")


def holds_pods(name: str) -> bool:
    """Whether a cgroup of this name is the kubelet's for all pods."""
    return name == "kubepods" or name.removesuffix(".slice").split("-")[-1] == "kubepods"


def _container(pod: Place, part: str, is_same: bool) -> Place:
    match = CONTAINER.fullmatch(part)
    if match is None or match["prefix"] in MONITORS:
        return pod
    runtime = RUNTIMES.get(match["prefix"], match["prefix"]) if match["prefix"] else ""
    return replace(pod, container=match["id"], runtime=runtime, parts=pod.parts + (not is_same))


def _parent_qos(parents: list[str]) -> str:
    return parents[-1] if parents and parents[-1] in QUALITIES else "guaranteed"


def _uid(text: str) -> str:
    return text.replace("_", "-")
