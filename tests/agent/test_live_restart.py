"""A node's agent that is killed and started again while a program goes on talking: joined late, and said so; ended by SIGTERM, cleanly."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, apiserver
from support.collectors import ask, collector
from support.kernel import cgroup, entering, skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
PATIENCE_S = 60
CLIENT = """
import http.client, ssl, sys
port, ca, token = int(sys.argv[1]), sys.argv[2], sys.argv[3]
connections = {}
for line in sys.stdin:
    name, path = line.split()
    if name not in connections:
        connections[name] = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=ca))
    connections[name].request("GET", path, headers={"Authorization": "Bearer " + token})
    answer = connections[name].getresponse()
    answer.read()
    print(answer.status, flush=True)
"""


class Client:
    """A process in a cgroup that asks on connections by name, which stay open."""

    def __init__(self, path: Path, server: ApiServer) -> None:
        command = [sys.executable, "-c", CLIENT, str(server.port), str(server.ca), server.token]
        self.process = subprocess.Popen([*entering(path), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, connection: str, path: str) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{connection} {path}\n")
        assert self.process.stdout.readline().strip() == "200"

    def end(self) -> None:
        self.process.communicate()


class Agent:
    """The real agent of a node."""

    def __init__(self, path: Path, store: Path) -> None:
        ready, told = os.pipe()
        options = ["--cgroup", str(path), "--socket", str(store / "collector.sock"), "--spool", str(store / "spool")]
        command = [sys.executable, "-m", "chaperone.agent", *options, "--ready-fd", str(told)]
        self.process = subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.PIPE, text=True)
        os.close(told)
        with os.fdopen(ready) as line:
            self.session: str = json.loads(line.readline())["session"]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def terminate(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        report: dict[str, Any] = json.loads(out.splitlines()[-1])
        return report


@pytest.fixture(autouse=True)
def _kernel() -> None:
    skip_without_kernel()


@pytest.fixture
def client(apiserver: ApiServer) -> Iterator[tuple[Path, Client]]:
    with cgroup() as path:
        client = Client(path, apiserver)
        yield path, client
        client.end()


def calls(store: Path, session: str) -> list[str]:
    return [call["requestURI"] for call in ask(store, "calls.list", session=session, limit=1000)]


def until(store: Path, session: str, count: int, act: Callable[[], None]) -> None:
    """Act until so many calls of a session are stored."""
    deadline = time.monotonic() + PATIENCE_S
    while len(calls(store, session)) < count:
        assert time.monotonic() < deadline
        act()
        time.sleep(0.05)


def test_open_streams_are_joined_late_by_the_next_agent(tmp_path: Path, client: tuple[Path, Client]) -> None:
    (path, one), store = client, tmp_path / "store"
    one.ask("old", "/version?unrecorded")
    with collector(store):
        first = Agent(path, store)
        until(store, first.session, 3, lambda: one.ask("old", "/version?first"))
        first.kill()
        one.ask("old", "/version?nobody")
        second = Agent(path, store)
        until(store, second.session, 3, lambda: one.ask("old", "/version?second"))
        one.ask("new", "/version?new")
        report = second.terminate()
        assert (report["unconfirmed"], report["lost"], report["trouble"]) == (0, 0, "")
        found = {session: calls(store, session) for session in (first.session, second.session)}
        assert set(found[first.session]) == {"/version?first"}
        assert set(found[second.session]) == {"/version?second", "/version?new"}
        assert found[second.session].count("/version?new") == 1
        said = {session: ask(store, "session.summary", session=session)[0] for session in found}
        assert all(row["ended"] for row in said.values())
        assert any(DIED in sentence for sentence in said[first.session]["missing"])
        for row in said.values():
            assert any("read from the middle" in sentence for sentence in row["missing"]), row
            assert not any("bytes lost" in sentence for sentence in row["missing"]), row
    assert [entry.name for entry in (store / "spool").iterdir()] == ["collector.key"]


def test_a_connection_opened_since_is_whole_although_its_process_is_old(tmp_path: Path, client: tuple[Path, Client]) -> None:
    (path, one), store = client, tmp_path / "store"
    with collector(store):
        agent = Agent(path, store)
        time.sleep(0.5)  # the process is looked at within the first poll
        for connection in "abc":
            one.ask(connection, f"/version?{connection}")
        assert agent.terminate()["unconfirmed"] == 0
        assert calls(store, agent.session) == [f"/version?{connection}" for connection in "abc"]
        assert ask(store, "session.summary", session=agent.session)[0]["missing"] == []
