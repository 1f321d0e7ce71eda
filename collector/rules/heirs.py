"""What governed workloads make in the cluster, as traffic shows: pods, and what makes pods. They are governed as their maker is.

Known by names, since pods come minutes or months after what makes them; the agents match a pod's controller, so that nobody has to look
anything up. Bounded: the oldest are forgotten first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.rules import content
from chaperone.collector.rules.selector import STRICTNESS
from chaperone.collector.rules.terms import Mode

Document = Mapping[str, Any]
LIMIT = 5_000
CREATED = 201
# By resource, the controller of the pods that come of it. A last dash stands for one part more, as controllers name what they make.
OWNERS = {
    "pods": "Pod/{}",
    "replicationcontrollers": "ReplicationController/{}",
    "replicasets": "ReplicaSet/{}",
    "deployments": "ReplicaSet/{}-",
    "statefulsets": "StatefulSet/{}",
    "daemonsets": "DaemonSet/{}",
    "jobs": "Job/{}",
    "cronjobs": "Job/{}-",
}
GROUPS = ("", "apps", "batch")


@dataclass(frozen=True, slots=True)
class Heir:
    """`owner`: of its pods, as in OWNERS. `mode`: its maker's; `policies`: those that its maker is judged by, in their modes. `session`:
    the maker's."""

    namespace: str
    owner: str
    session: str
    mode: Mode
    policies: tuple[tuple[str, Mode], ...]

    @property
    def id(self) -> str:
        """The same for what has the same name."""
        return f"{self.namespace}/{self.owner}"

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        policies = [[name, str(mode)] for name, mode in self.policies]
        named = {"id": self.id, "namespace": self.namespace, "owner": self.owner, "session": self.session}
        return {**named, "mode": str(self.mode), "policies": policies}


@dataclass(slots=True)
class Heirs:
    """All that are known. `changes`: how often that changed."""

    changes: int = 0
    _known: dict[str, Heir] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Heir]:
        return iter(tuple(self._known.values()))

    def recall(self, documents: Iterable[Document]) -> None:
        """Those of earlier collectors."""
        for one in documents:
            policies = tuple((str(name), Mode(mode)) for name, mode in one["policies"])
            self._keep(Heir(str(one["namespace"]), str(one["owner"]), str(one["session"]), Mode(one["mode"]), policies))

    def take(self, call: Document, mode: Mode, policies: Iterable[tuple[str, Mode]]) -> Heir | None:
        """What a call of a workload that is governed so has made, if it is anything new."""
        made = _made(call)
        if made is None:
            return None
        heir, before = Heir(*made, str(call["session"]), mode, tuple(policies)), self._known.get("/".join(made))
        if before is not None:
            modes = dict(before.policies)
            modes.update((name, _stricter(each, modes.get(name))) for name, each in heir.policies)
            heir = Heir(*made, before.session, _stricter(mode, before.mode), tuple(modes.items()))
        return None if heir == before else self._keep(heir)

    def inherited(self, session: Document) -> dict[str, Mode]:
        """The policies that a session has from who made its pod, in their modes."""
        found: dict[str, Mode] = {}
        for heir in self._of(session):
            found.update((name, _stricter(mode, found.get(name))) for name, mode in heir.policies)
        return found

    def _of(self, session: Document) -> Iterator[Heir]:
        known = session.get("lookedUp") or {}
        owner, namespace = str(known.get("owner", "")), str(known.get("namespace", ""))
        for name in (owner, f"{owner.rpartition('-')[0]}-", f"Pod/{known.get('name', '')}"):
            if heir := self._known.get(f"{namespace}/{name}"):
                yield heir

    def _keep(self, heir: Heir) -> Heir:
        self._known.pop(heir.id, None)
        self._known[heir.id] = heir
        while len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]
        self.changes += 1
        return heir


def _made(call: Document) -> tuple[str, str] | None:
    """Namespace and owner of what was created; None for all else."""
    pattern = OWNERS.get(str(call.get("resource", "")))
    if not pattern or call.get("code") != CREATED or call.get("subresource") or call.get("apiGroup", "") not in GROUPS:
        return None
    namespace, name = str(call.get("namespace", "")), str(call.get("name", "")) or _named(call)
    return (namespace, pattern.format(name)) if name and namespace else None


def _named(call: Document) -> str:
    """As the answer says, where the API server chose the name; else as it was asked for."""
    for body in ("responseBody", "requestBody"):
        try:
            about = (content.parsed(call.get(body)) or {}).get("metadata") or {}
        except (content.UnreadError, AttributeError):
            continue
        if isinstance(about, dict) and about.get("name"):
            return str(about["name"])
    return ""


def _stricter(mode: Mode, other: Mode | None) -> Mode:
    return max(mode, other or mode, key=STRICTNESS.index)
