"""An API server that has agents' pods and nodes with taints, and takes patches of nodes as RFC 6902 says."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.api_double import Answer, api_double

from chaperone.collector.lookup.access import Access, access
from chaperone.collector.lookup.startup import TAINT

OTHER = {"key": "other", "effect": "NoSchedule"}
UNREADY = [{"key": TAINT, "effect": "NoExecute"}, OTHER, {"key": TAINT, "effect": "NoSchedule"}]


@dataclass(slots=True)
class NodeApi:
    """`nodes`: the taints of each; `agents`: node and readiness of each agent's pod, by uid. `meanwhile`: happens before each patch."""

    nodes: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    agents: dict[str, tuple[str, bool]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: int = 0
    meanwhile: Any = None
    access: Access | None = None

    def answer(self, method: str, path: str, body: Any) -> Answer:
        self.asked.append((method, path))
        if self.refuses:
            return self.refuses, {"kind": "Status"}
        if path.startswith("/api/v1/namespaces/chaperone/pods?labelSelector="):
            return 200, {"kind": "PodList", "items": [_agent(uid, *about) for uid, about in self.agents.items()]}
        name = path.removeprefix("/api/v1/nodes/")
        if name not in self.nodes:
            return 404, {"kind": "Status"}
        return self._patched(name, body) if method == "PATCH" else (200, self._node(name))

    def patches(self) -> int:
        return sum(1 for method, _ in self.asked if method == "PATCH")

    def _node(self, name: str) -> dict[str, Any]:
        taints = self.nodes[name]
        return {"kind": "Node", "metadata": {"name": name}, "spec": {"taints": taints} if taints else {}}

    def _patched(self, name: str, steps: list[dict[str, str]]) -> Answer:
        if self.meanwhile:
            self.meanwhile()
        taints = [dict(one) for one in self.nodes[name]]
        for step in steps:
            place = step["path"].split("/")[3:]
            if step["op"] == "test" and (int(place[0]) >= len(taints) or taints[int(place[0])][place[1]] != step["value"]):
                return 422, {"kind": "Status"}
            if step["op"] == "remove":
                del taints[int(place[0])]
        self.nodes[name] = taints
        return 200, self._node(name)


def _agent(uid: str, node: str, is_ready: bool) -> dict[str, Any]:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": str(is_ready)}]
    return {"metadata": {"uid": uid}, "spec": {"nodeName": node}, "status": {"conditions": conditions}}


@contextmanager
def node_api(folder: Path) -> Iterator[NodeApi]:
    """One that lives as long as the block."""
    made = NodeApi()
    with api_double(folder, made.answer) as double:
        made.access = access(str(double.kubeconfig(folder)), os.environ)
        yield made
