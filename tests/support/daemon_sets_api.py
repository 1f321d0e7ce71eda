"""An API server that has DaemonSets, whose pods begin and end a little later."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.api_double import Answer, ApiDouble, api_double

PATH = "/apis/apps/v1/namespaces/chaperone/daemonsets"
PODS = "/api/v1/namespaces/chaperone/pods"


@dataclass(slots=True)
class DaemonSetsApi:
    """`sets`: how many nodes of each are ready, of `nodes` (n1, n2 …). With each question a node of each becomes ready, or leaves where it
    is `leaving`; of the last ones those that are `stuck` do neither, though they answer, and behind them those `away`. These the control
    plane has noticed (`is_noticed`) or not; it puts no new pods there unless they tolerate all (`is_tolerated`). `refuses`: the status of
    the next answers."""

    nodes: int = 3
    away: int = 0
    stuck: int = 0
    is_noticed: bool = True
    is_tolerated: bool = True
    sets: dict[str, int] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    refuses: list[int] = field(default_factory=list)
    observed: int = 0

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if self.refuses:
            return self.refuses.pop(0), {"kind": "Status"}
        if path.startswith(f"{PODS}?"):
            return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(self._pods(path.rpartition("%3D")[2]))}
        name = path.partition("?")[0].removeprefix(f"{PATH}/")
        if name not in self.sets:
            return 404, {"kind": "Status"}
        if method == "DELETE":
            assert "propagationPolicy=Foreground" in path
            self.sets[name] = self.sets[name] if name in self.leaving else self.nodes  # its pods, ready or not
            self.leaving.add(name)
        found = self._shown(name)
        self._go_on(name)
        return 200, found

    def _shown(self, name: str) -> Any:
        nodes = self.nodes if self.is_tolerated else self.nodes - self.away
        counts = {
            "currentNumberScheduled": nodes,
            "desiredNumberScheduled": nodes if self.observed else 0,
            "numberMisscheduled": 0,
        }
        status = {**counts, "numberReady": self.sets[name], "observedGeneration": self.observed}
        selector = {"matchLabels": {"of": name}}
        spec = {"selector": selector, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}}
        about = {"name": name, "generation": 1}
        return {"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": about, "spec": spec, "status": status}

    def _pods(self, name: str) -> Iterator[Any]:
        """Of one that is leaving those that are left, the last ones."""
        is_leaving = name in self.leaving
        first = self.nodes - self.sets[name] if is_leaving else 0
        for number in range(first, self.nodes):
            is_away = number >= self.nodes - self.away
            if is_leaving or self.is_tolerated or not is_away:
                yield _pod(f"{name}-n{number + 1}", is_leaving, is_leaving or number < self.sets[name], (is_away, self.is_noticed))

    def _go_on(self, name: str) -> None:
        self.observed = 1
        if name not in self.leaving:
            self.sets[name] = min(self.sets[name] + 1, self.nodes - self.away - self.stuck)
        elif self.sets[name] > self.away + self.stuck:
            self.sets[name] -= 1
        elif not self.away + self.stuck:
            del self.sets[name]


def _pod(name: str, is_deleted: bool, is_ready: bool, away: tuple[bool, bool]) -> Any:
    """As a kubelet says that has it; as none says where its node was away before it was made; as the control plane does of such a node."""
    is_away, is_noticed = away
    about = {"name": name, "uid": name, "labels": {"of": name.rpartition("-")[0]}}
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1} if is_deleted else {}
    said = {"Ready": is_ready and not (is_away and is_noticed), "ContainersReady": is_ready}
    conditions = [{"type": what, "status": str(value)} for what, value in said.items()]
    status = {"startTime": "2026-01-01T00:00:00Z", "conditions": conditions} if is_ready or not is_away else {}
    spec = {"nodeName": name.rpartition("-")[2], "containers": [{"name": "c"}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": about | deleted, "spec": spec, "status": status}


@contextmanager
def daemon_sets_api(folder: Path) -> Iterator[tuple[DaemonSetsApi, ApiDouble]]:
    """One that serves."""
    state = DaemonSetsApi()
    with api_double(folder, state.answer) as server:
        yield state, server
