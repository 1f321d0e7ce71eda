"""Agents that end and begin while programs ask: nobody hangs, and what is denied is denied before and afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import collector
from support.enforced import until
from support.governed_run import HEAD
from support.kernel import cgroup, skip_without_kernel

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
CLIENTS = 3
RULES = '- {name: no-delete, when: call.verb == "delete", do: deny, enforce: enforce, message: never}\n'
PROGRAM = """
import http.client, json, pathlib, ssl, sys
port, ca, token, end, result = sys.argv[1:]
context, told, found = ssl.create_default_context(cafile=ca), {"Authorization": "Bearer " + token}, []
peer = None
while not pathlib.Path(end).exists():
    for method, path in (("GET", ""), ("DELETE", "/agent")):
        try:
            if peer is None or len(found) % 6 == 0:
                peer = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=30)
            peer.request(method, "/api/v1/namespaces/default/pods" + path, headers=told)
            answer = peer.getresponse()
            answer.read()
            found.append((method, answer.status))
        except (OSError, http.client.HTTPException):
            found.append((method, 0))
            peer = None
        pathlib.Path(result).write_text(json.dumps(found))
"""


@dataclass
class Under:
    """A cgroup, its agents, and programs in it that ask on and on."""

    path: Path
    place: Path
    server: ApiServer

    def agent(self, on_failure: str) -> "subprocess.Popen[str]":
        """One that is ready."""
        terms = {"mode": "enforce", "on_failure": on_failure, "verdict_timeout_s": "20"}
        (self.place / "session.json").write_text(json.dumps(terms))
        ready, told = os.pipe()
        options = ["--cgroup", self.path, "--socket", self.place / "store/collector.sock", "--spool", self.place / "spool"]
        options += ["--session", self.place / "session.json", "--ready-fd", str(told)]
        process = subprocess.Popen(
            [sys.executable, "-m", "chaperone.agent", *options], pass_fds=(told,), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.close(told)
        with os.fdopen(ready) as line:
            assert line.readline(), process.communicate()
        return process

    def client(self, number: int) -> "subprocess.Popen[bytes]":
        enter = f'echo 0 > {self.path / "cgroup.procs"} && exec "$@"'
        told = [self.server.port, self.server.ca, self.server.token, self.place / "end", self.place / f"result{number}"]
        return subprocess.Popen(["/bin/sh", "-c", enter, "sh", sys.executable, "-c", PROGRAM, *map(str, told)])

    def said(self, number: int) -> list[tuple[str, int]]:
        """What a client was answered so far; 0: its connection ended."""
        try:
            return [(method, status) for method, status in json.loads((self.place / f"result{number}").read_text())]
        except (FileNotFoundError, ValueError):  # not yet, or being written
            return []

    def go_on(self, numbers: Iterable[int]) -> None:
        """Each of these clients, which may be cut off once or twice, gets right answers again."""
        before = {number: len(self.said(number)) for number in numbers}
        for number, size in before.items():
            until(lambda number=number, size=size: set(self.said(number)[size:]) >= {("GET", 200), ("DELETE", 403)})  # type: ignore[misc]


@contextmanager
def under(tmp_path: Path, server: ApiServer) -> Iterator[Under]:
    skip_without_kernel()
    (tmp_path / "policy.yaml").write_text(HEAD + RULES)
    with cgroup() as path, collector(tmp_path / "store", "--policy", str(tmp_path / "policy.yaml")):
        yield Under(path, tmp_path, server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_agent_is_exchanged_under_load(tmp_path: Path, apiserver: ApiServer, number: int) -> None:
    """The next one governs programs that ran before it, as soon as they connect again."""
    with under(tmp_path, apiserver) as it:
        first = it.agent("deny")
        clients = {number: it.client(number) for number in range(CLIENTS)}
        it.go_on(clients)
        first.send_signal(number)
        _, err = first.communicate(timeout=90)
        assert first.returncode == (-number if number == signal.SIGKILL else 0), err
        second = it.agent("deny")
        survivors = alive(clients, number)
        it.go_on(survivors)
        (tmp_path / "end").touch()
        assert [client.wait(60) for client in survivors.values()] == [0] * len(survivors)
        second.terminate()
        assert second.wait(60) == 0
        if number == signal.SIGTERM:
            assert "DELETE" not in [asked["method"] for asked in apiserver.requests()]


def alive(clients: dict[int, "subprocess.Popen[bytes]"], number: int) -> dict[int, "subprocess.Popen[bytes]"]:
    """An agent that is killed takes with it whom it held; another has all of them go on."""
    killed = {each for each, client in clients.items() if client.poll() == -signal.SIGKILL}
    assert not killed or number == signal.SIGKILL
    return {each: client for each, client in clients.items() if each not in killed}
