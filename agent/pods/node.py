"""The pods of a node, put together: who tells of them, what is known, what becomes of their containers."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from chaperone.agent.cluster.source import PodSource, Where
from chaperone.agent.groups.values import GroupValue
from chaperone.agent.pods.areas import Atlas
from chaperone.agent.pods.census import Census
from chaperone.agent.pods.governing import Governing
from chaperone.agent.pods.select import Selection, selectors_of
from chaperone.agent.pods.servers import Servers
from chaperone.agent.pods.workloads import SECOND, Workloads
from chaperone.agent.recording import Recording
from chaperone.agent.workload.processes import now_ns
from chaperone.proto import capture_pb2 as wire

PATIENCE_NS = 5 * SECOND  # at the start: who is known before is not recorded for nothing


@dataclass(frozen=True, slots=True)
class Here:
    """`cgroups`: where to look for the kubelet's; `servers`: addresses of the API server that nobody else tells; `told`: what a collector
    says of which pods are governed, put there by another thread."""

    cgroups: Path
    servers: tuple[str, ...] = ()
    told: deque[wire.Selection] = field(default_factory=deque)


class Node:
    """A recording's Pods."""

    def __init__(self, recording: Recording, where: Where, selection: Selection, place: Here) -> None:
        self.census = Census(Servers(place.servers))
        self.source = PodSource(where, lambda message: self.census.take(message, now_ns()), self.census.begin_again)
        governing = Governing(recording, self.census.servers.addresses)
        self.workloads = Workloads(governing, self.census, selection, Atlas(place.cgroups), where.node)
        self._begun, self._told = now_ns(), place.told

    def take(self, value: GroupValue) -> None:
        """What the kernel said about a cgroup."""
        self.workloads.take(value)

    def knows(self, number: int, time: int) -> bool:
        """Whether a workload's number is a container's."""
        return self.workloads.knows(number, time)

    def heard(self, number: int, time: int, begins: bool) -> None:
        """A workload did something at this time; `begins`: a process or a connection."""
        self.workloads.heard(number, time, begins)

    def step(self, now: int) -> None:
        """Hear what is new; begin and end sessions."""
        self.source.step()
        while self._told:
            self.workloads.select(selectors_of(self._told.popleft()))
        if self.census.is_complete or now - self._begun > PATIENCE_NS:
            self.workloads.step(now)

    @property
    def is_ready(self) -> bool:
        """Whether it meets whoever is on the node as a collector says, for which it waits as long as for the API."""
        is_told = self.workloads.selection.is_known or now_ns() - self._begun > PATIENCE_NS
        return is_told and self.workloads.has_looked

    def close(self) -> None:
        """Hear nothing more."""
        self.workloads.close()
        self.source.close()
