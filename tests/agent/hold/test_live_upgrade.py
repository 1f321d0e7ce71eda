"""Agents and collectors that end, freeze and come back while programs ask: nobody hangs, and what is denied is denied before and
afterwards; in between, as onFailure says.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask, collector
from support.enforced import until
from support.governed_run import HEAD
from support.kernel import cgroup, entering, skip_without_kernel

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
CLIENTS = 3
RULES = '- {name: no-delete, when: call.verb == "delete", do: deny, enforce: enforce, message: never}\n'
PROGRAM = """
import http.client, json, pathlib, ssl, sys, time
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
    time.sleep(0.1)
"""


@dataclass
class Under:
    """A cgroup, its agents, and programs in it that ask on and on."""

    path: Path
    place: Path
    server: ApiServer
    collector: "subprocess.Popen[bytes]"
    started: "list[subprocess.Popen[Any]]" = field(default_factory=list)

    def agent(self, on_failure: str = "deny", timeout_s: str = "20") -> "subprocess.Popen[str]":
        """One that is ready."""
        terms = {"mode": "enforce", "on_failure": on_failure, "verdict_timeout_s": timeout_s}
        (self.place / "session.json").write_text(json.dumps(terms))
        ready, told = os.pipe()
        options = ["--cgroup", self.path, "--socket", self.place / "store/collector.sock", "--spool", self.place / "spool"]
        options += ["--session", self.place / "session.json", "--ready-fd", str(told)]
        process = subprocess.Popen(
            [sys.executable, "-m", "chaperone.agent", *options], pass_fds=(told,), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        os.close(told)
        with os.fdopen(ready) as line:
            assert line.readline(), process.communicate()
        return process

    def client(self, number: int) -> "subprocess.Popen[bytes]":
        told = [self.server.port, self.server.ca, self.server.token, self.place / "end", self.place / f"result{number}"]
        self.started.append(subprocess.Popen([*entering(self.path), sys.executable, "-c", PROGRAM, *map(str, told)]))
        return self.started[-1]

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

    def end(self, clients: dict[int, "subprocess.Popen[bytes]"], agent: "subprocess.Popen[str]") -> None:
        """All of them, as they should."""
        (self.place / "end").touch()
        assert [client.wait(60) for client in clients.values()] == [0] * len(clients)
        agent.terminate()
        assert agent.wait(60) == 0


@contextmanager
def under(tmp_path: Path, server: ApiServer, on_failure: str = "deny") -> Iterator[Under]:
    skip_without_kernel()
    (tmp_path / "policy.yaml").write_text(HEAD.replace("deny", on_failure) + RULES)
    with cgroup() as path, collector(tmp_path / "store", "--policy", str(tmp_path / "policy.yaml")) as process:
        it = Under(path, tmp_path, server, process)
        try:
            yield it
        finally:
            process.send_signal(signal.SIGCONT)
            for each in it.started:
                each.kill()
                each.communicate()


def frozen(process: "subprocess.Popen[Any]", seconds: float) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_agent_is_exchanged_under_load(tmp_path: Path, apiserver: ApiServer, number: int) -> None:
    """The next one governs programs that ran before it, as soon as they connect again."""
    with under(tmp_path, apiserver) as it:
        first = it.agent()
        clients = {number: it.client(number) for number in range(CLIENTS)}
        it.go_on(clients)
        first.send_signal(number)
        _, err = first.communicate(timeout=90)
        assert first.returncode == (-number if number == signal.SIGKILL else 0), err
        second = it.agent()
        survivors = alive(clients, number)
        it.go_on(survivors)
        it.end(survivors, second)
        if number == signal.SIGTERM:
            assert "DELETE" not in [asked["method"] for asked in apiserver.requests()]


def alive(clients: dict[int, "subprocess.Popen[bytes]"], number: int) -> dict[int, "subprocess.Popen[bytes]"]:
    """An agent that is killed takes with it whom it held; another has all of them go on."""
    killed = {each for each, client in clients.items() if client.poll() == -signal.SIGKILL}
    assert not killed or number == signal.SIGKILL
    return {each: client for each, client in clients.items() if each not in killed}


def test_an_agent_that_is_frozen_for_a_while_goes_on(tmp_path: Path, apiserver: ApiServer) -> None:
    """Its lock holds meanwhile, and nobody is decided on by anybody else."""
    with under(tmp_path, apiserver) as it:
        agent, clients = it.agent(timeout_s="60"), {number: it.client(number) for number in range(CLIENTS)}
        it.go_on(clients)
        frozen(agent, 5)
        it.go_on(clients)
        it.end(clients, agent)
        assert {each for number in clients for each in it.said(number)} == {("GET", 200), ("DELETE", 403)}
        assert "DELETE" not in [asked["method"] for asked in apiserver.requests()]


@pytest.mark.parametrize(("on_failure", "done"), [("allow", ("GET", 200)), ("deny", ("GET", 0))])
def test_without_a_collector_the_policy_decides_and_status_says_so(
    tmp_path: Path, apiserver: ApiServer, on_failure: str, done: tuple[str, int]
) -> None:
    with under(tmp_path, apiserver, on_failure) as it:
        agent, clients = it.agent(on_failure, "2"), {number: it.client(number) for number in range(CLIENTS)}
        it.go_on(clients)
        it.collector.send_signal(signal.SIGSTOP)
        before = {number: len(it.said(number)) for number in clients}
        until(lambda: all(it.said(number)[size + 12 :].count(done) > 6 for number, size in before.items()))
        it.collector.send_signal(signal.SIGCONT)
        it.go_on(clients)
        [found] = ask(it.place / "store", "workloads.status")
        assert any("onFailure" in each and on_failure in each for each in found["why"])
        it.end(clients, agent)
        assert on_failure == "allow" or "DELETE" not in [asked["method"] for asked in apiserver.requests()]
