"""Real clients against the demo API server, behind an agent without a kernel and a real collector."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.apiserver import ApiServer
from support.collectors import ask, collector
from support.scripted_agent import Proxy, ScriptedAgent, proxied

KUBECTL = Path(sys.executable).parent / "kubectl"


@dataclass
class Held:
    """What a test talks to."""

    agent: ScriptedAgent
    proxy: Proxy
    server: ApiServer
    store: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.proxy.port}"

    def kubectl(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig), "HOME": str(self.store)}
        command = [KUBECTL, f"--server={self.url}", *arguments]
        return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, timeout=60)

    def curl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["curl", *self.common, "--max-time", "60", *arguments], capture_output=True, text=True, timeout=90)

    @property
    def common(self) -> list[str]:
        """What curl must be told of each request."""
        return ["-sS", "--cacert", str(self.server.ca), "-H", f"Authorization: Bearer {self.server.token}"]

    def asked(self) -> list[tuple[str, str]]:
        return [(one["method"], one["requestURI"].partition("?")[0]) for one in self.server.requests()]

    def calls(self) -> list[dict[str, Any]]:
        self.agent.finish()
        return ask(self.store, "calls.list", bodies=True)


@contextmanager
def held(tmp_path: Path, server: ApiServer, *policies: str, options: tuple[str, ...] = (), **pod: Any) -> Iterator[Held]:
    """`options`: the collector's. `pod`: what the API said of it."""
    with collector(tmp_path / "store", *options):
        agent = ScriptedAgent(tmp_path / "store", policies, **pod)
        with proxied(agent, server.directory, server.port) as proxy:
            yield Held(agent, proxy, server, tmp_path / "store")
        agent.finish()
