"""An API server that has DaemonSets, whose pods begin and end a little later."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.api_double import Answer, ApiDouble, api_double

PATH = "/apis/apps/v1/namespaces/chaperone/daemonsets"


@dataclass(slots=True)
class DaemonSetsApi:
    """`sets`: how many nodes of each are ready, of `nodes`. With each question a node of each becomes ready, or leaves where it is
    `leaving`; those `away` do neither. `refuses`: the status of the next answers."""

    nodes: int = 3
    away: int = 0
    sets: dict[str, int] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    refuses: list[int] = field(default_factory=list)
    observed: int = 0

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if self.refuses:
            return self.refuses.pop(0), {"kind": "Status"}
        name = path.partition("?")[0].removeprefix(f"{PATH}/")
        if name not in self.sets:
            return 404, {"kind": "Status"}
        if method == "DELETE":
            assert "propagationPolicy=Foreground" in path
            self.leaving.add(name)
        found = self._shown(name)
        self._go_on(name)
        return 200, found

    def _shown(self, name: str) -> Any:
        counts = {
            "currentNumberScheduled": self.nodes,
            "desiredNumberScheduled": self.nodes if self.observed else 0,
            "numberMisscheduled": 0,
        }
        status = {**counts, "numberReady": self.sets[name], "observedGeneration": self.observed}
        selector = {"matchLabels": {"a": "b"}}
        spec = {"selector": selector, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}}
        about = {"name": name, "generation": 1}
        return {"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": about, "spec": spec, "status": status}

    def _go_on(self, name: str) -> None:
        self.observed = 1
        if name not in self.leaving:
            self.sets[name] = min(self.sets[name] + 1, self.nodes - self.away)
        elif self.sets[name] > self.away:
            self.sets[name] -= 1
        elif not self.away:
            del self.sets[name]


@contextmanager
def daemon_sets_api(folder: Path) -> Iterator[tuple[DaemonSetsApi, ApiDouble]]:
    """One that serves."""
    state = DaemonSetsApi()
    with api_double(folder, state.answer) as server:
        yield state, server
