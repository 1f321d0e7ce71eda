"""Where connects are met: in the governed cgroups' own hooks where the kernel lets them send signals (from 6.13 on at the
latest 6.16), else at the node's changes of TCP states, of which bpf/gate.h looks at a connect by a governed task only."""

import os
import threading
from pathlib import Path

from chaperone.agent.trace.governed import opened
from chaperone.agent.trace.kernel import Kernel

INET4_CONNECT, INET6_CONNECT = 10, 11  # enum bpf_attach_type
PROGRAMS = {INET4_CONNECT: "on_connect4", INET6_CONNECT: "on_connect6"}
TRACEPOINT = "inet_sock_set_state"


class ConnectHooks:
    """The links of each governed cgroup, or one tracepoint for all. Which of them is found out by loading. One thread may `close`
    while another is still about to `attach`."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.links: dict[int, tuple[int, ...]] = {}
        self.is_by_cgroup = True
        self.tracepoint = -1
        self.is_closed = False
        self._changing = threading.Lock()

    def attach(self, slot: int, cgroup: str | Path) -> None:
        """Meet the connects of sockets created in this cgroup and all below, unless it is closed."""
        with self._changing, opened(cgroup) as directory:
            if not self.is_closed:
                self.links[slot] = self._link(directory) if self._loads() else ()

    def detach(self, slot: int) -> None:
        """Meet them no more."""
        for descriptor in self.links.pop(slot, ()):
            os.close(descriptor)

    def close(self) -> None:
        """Meet nobody, from now on."""
        with self._changing:
            self.is_closed = True
            for slot in list(self.links):
                self.detach(slot)
            if self.tracepoint >= 0:
                os.close(self.tracepoint)
                self.tracepoint = -1

    def _link(self, cgroup: int) -> tuple[int, ...]:
        return tuple(self.kernel.link_cgroup(self.kernel.load_sock_addr(name, kind), cgroup, kind) for kind, name in PROGRAMS.items())

    def _loads(self) -> bool:
        """Whether the cgroup's programs may be loaded; if not, the tracepoint is in place."""
        self.is_by_cgroup = self.is_by_cgroup and loads_by_cgroup(self.kernel)
        if not self.is_by_cgroup and self.tracepoint < 0:
            self.tracepoint = self.kernel.open_tracepoint("on_tcp_state", TRACEPOINT)
        return self.is_by_cgroup


def loads_by_cgroup(kernel: Kernel) -> bool:
    """Whether the kernel lets a cgroup's hook send signals."""
    try:
        kernel.load_sock_addr("on_connect4", INET4_CONNECT)
    except OSError:
        return False
    return True
