"""The cgroup_skb programs on governed cgroups, and the counts they keep. Descriptors of links: closing one detaches it."""

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from chaperone.agent.sockets.decode import flow_of
from chaperone.agent.sockets.layout import FlowKey, FlowRecord
from chaperone.agent.sockets.peers import cookie_and_peer
from chaperone.agent.sockets.values import Flow
from chaperone.agent.trace.governed import opened
from chaperone.agent.trace.kernel import Kernel
from chaperone.proto.records import Direction

INGRESS, EGRESS = 0, 1  # enum bpf_attach_type
RECORDS = {Direction.OUT: "on_records_out", Direction.IN: "on_records_in"}
FlowLookup = Callable[[int], tuple[Flow, Flow] | None]


class SocketHooks:
    """One pair of links per governed cgroup."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.links: dict[int, tuple[int, int]] = {}

    def begin(self) -> None:
        """Load the programs that the hooks go on with."""
        for direction, program in RECORDS.items():
            self.kernel.store("records", ctypes.c_uint32(self.kernel.load_cgroup_skb(program)), direction)

    def attach(self, slot: int, cgroup: str | Path) -> None:
        """Look at the packets of sockets created in this cgroup and all below."""
        with opened(cgroup) as directory:
            egress = self.kernel.link_cgroup(self.kernel.load_cgroup_skb("on_egress"), directory, EGRESS)
            self.links[slot] = (egress, self.kernel.link_cgroup(self.kernel.load_cgroup_skb("on_ingress"), directory, INGRESS))

    def detach(self, slot: int) -> None:
        """Look no more."""
        for descriptor in self.links.pop(slot, ()):
            os.close(descriptor)

    def close(self) -> None:
        """Detach from all."""
        for slot in list(self.links):
            self.detach(slot)

    def flows(self, cookie: int) -> tuple[Flow, Flow] | None:
        """Both directions of a connection as far as it has come: OUT, IN; None if the kernel has forgotten it."""
        out, into = (self.kernel.entry(_table(key), FlowRecord, key) for key in _keys(cookie))
        return (flow_of(out), flow_of(into or FlowRecord())) if out else None

    def forget(self, cookie: int) -> Iterator[int]:
        """The connection is over and counted: the workload of each direction of TCP that there was."""
        for key in _keys(cookie):
            found = self.kernel.entry(_table(key), FlowRecord, key)
            if self.kernel.remove(_table(key), key) and found and not key.peer:
                yield found.workload

    def of_workload(self, workload: int) -> list[int]:
        """The TCP sockets of which the kernel counts something for a workload."""
        found = ((key.cookie, self.kernel.entry("flows", FlowRecord, key)) for key in self.kernel.entries("flows", FlowKey))
        return [cookie for cookie, flow in found if flow and flow.workload == workload]


def _table(key: FlowKey) -> str:
    return "datagrams" if key.peer else "flows"


def _keys(name: int) -> tuple[FlowKey, FlowKey]:
    """OUT, IN."""
    cookie, peer = cookie_and_peer(name)
    return FlowKey(cookie, peer, Direction.OUT), FlowKey(cookie, peer, Direction.IN)
