"""The pods of a node, put together: who tells of them, what is known, what becomes of their containers."""

from pathlib import Path

from chaperone.agent.cluster.source import PodSource, Where
from chaperone.agent.groups.values import GroupValue
from chaperone.agent.pods.areas import Atlas
from chaperone.agent.pods.census import Census
from chaperone.agent.pods.governing import Governing
from chaperone.agent.pods.select import Selection
from chaperone.agent.pods.servers import Servers
from chaperone.agent.pods.workloads import SECOND, Workloads
from chaperone.agent.recording import Recording
from chaperone.agent.workload.processes import now_ns

PATIENCE_NS = 5 * SECOND  # at the start: who is known before is not recorded for nothing


class Node:
    """A recording's Pods. `cgroups`: where to look for the kubelet's; `extra`: addresses of the API server that nobody else tells."""

    def __init__(self, recording: Recording, where: Where, selection: Selection, cgroups: Path, extra: tuple[str, ...] = ()) -> None:
        self.census = Census(Servers(extra))
        self.source = PodSource(where, lambda message: self.census.take(message, now_ns()), self.census.begin_again)
        governing = Governing(recording, self.census.servers.addresses)
        self.workloads = Workloads(governing, self.census, selection, Atlas(cgroups), where.node)
        self._begun = now_ns()

    def take(self, value: GroupValue) -> None:
        """What the kernel said about a cgroup."""
        self.workloads.take(value)

    def knows(self, number: int, time: int) -> bool:
        """Whether a workload's number is a container's."""
        return self.workloads.knows(number, time)

    def step(self, now: int) -> None:
        """Hear what is new; begin and end sessions."""
        self.source.step()
        if self.census.is_complete or now - self._begun > PATIENCE_NS:
            self.workloads.step(now)

    def close(self) -> None:
        """Hear nothing more."""
        self.workloads.close()
        self.source.close()
