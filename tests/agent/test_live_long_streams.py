"""One long HTTP/2 connection of a Go client, and the deaths of agent and collector beside it.

Truth is the server's log: what it was asked while somebody recorded is in the recording, once.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, running
from support.collectors import ask, collector, kill, start
from support.go_peer import built
from support.kernel import cgroup, entering, skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED

pytestmark = pytest.mark.kernel
PATIENCE_S = 90
PODS = "/api/v1/namespaces/default/pods"


class Client:
    """Asks for one path after another on a connection that also carries a watch."""

    def __init__(self, path: Path, server: ApiServer, folder: Path) -> None:
        command = [str(built("keeps_watching", folder)), server.url, str(server.ca), str(server.directory / "token")]
        self.process = subprocess.Popen([*entering(path), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.asked = 0

    def ask(self, why: str) -> str:
        """A path that nobody asked for before."""
        assert self.process.stdin and self.process.stdout
        self.asked += 1
        uri = f"{PODS}/{why}-{self.asked}"
        self.process.stdin.write(f"{uri}\n")
        assert self.process.stdout.readline().strip() in ("200", "404")
        return uri


def agent(path: Path, store: Path) -> tuple["subprocess.Popen[bytes]", str]:
    ready, told = os.pipe()
    options = ["--cgroup", str(path), "--socket", str(store / "collector.sock"), "--spool", str(store / "spool")]
    command = [sys.executable, "-m", "chaperone.agent", *options, "--ready-fd", str(told)]
    process = subprocess.Popen(command, pass_fds=(told,), stdout=subprocess.DEVNULL)
    os.close(told)
    with os.fdopen(ready) as line:
        return process, str(json.loads(line.readline())["session"])


def until(holds: Callable[[], bool], act: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        act()
        time.sleep(0.05)


def uris(store: Path, session: str) -> list[str]:
    """What was asked for besides the watch."""
    found = [call["requestURI"] for call in ask(store, "calls.list", session=session, limit=1000)]
    return [uri for uri in found if uri.startswith(f"{PODS}/")]


def thirds(store: Path, session: str) -> int:
    """How many of what was asked for since the collector died are there."""
    return sum("third" in uri for uri in uris(store, session))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with running(tmp_path / "apiserver", "--pause", "0.1", "--events", "5000") as opened:
        yield opened


def test_a_long_stream_outlives_them_all(tmp_path: Path, server: ApiServer) -> None:
    skip_without_kernel()
    store = tmp_path / "store"
    with cgroup() as path:
        keeper = start(store)
        first, before = agent(path, store)
        client = Client(path, server, tmp_path)
        said: dict[str, list[str]] = {"first": [], "second": [], "third": []}
        until(lambda: len(uris(store, before)) >= 4, lambda: said["first"].append(client.ask("first")))
        first.kill()
        first.wait()
        nobody = [client.ask("nobody") for _ in range(3)]
        carried = [len(side) for side in server.plaintext(1)]
        second, behind = agent(path, store)
        until(lambda: len(uris(store, behind)) >= 4, lambda: said["second"].append(client.ask("second")))
        said["since"] = [client.ask("since") for _ in range(4)]
        kill(keeper)
        said["third"] += [client.ask("third") for _ in range(3)]
        with collector(store):
            until(lambda: thirds(store, behind) >= 6, lambda: said["third"].append(client.ask("third")))
            client.process.kill()
            client.process.communicate()
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0
            recorded = {session: uris(store, session) for session in (before, behind)}
            rows = {session: ask(store, "session.summary", session=session)[0] for session in (before, behind)}
            late = [one for one in ask(store, "connections.list", session=behind) if "before" in one]
            kinds = [moment["kind"] for moment in ask(store, "replay", session=before)]
    assert {line["connection"] for line in server.requests()} == {1}, "all on one connection"
    assert set(recorded[before]) <= set(said["first"]) and len(recorded[before]) >= 4
    assert len(recorded[behind]) == len(set(recorded[behind])), "nothing twice"
    assert set(recorded[behind]) <= {*said["second"], *said["since"], *said["third"]}
    assert {*said["since"], *said["third"]} <= set(recorded[behind]), "all, once it had found where to read on"
    assert not set(nobody) & {*recorded[before], *recorded[behind]}
    assert kinds.count("piece") >= 1, "the watch's events"
    assert any(DIED in sentence for sentence in rows[before]["missing"])
    assert any("read from the middle" in sentence for sentence in rows[behind]["missing"])
    assert any("were carried before" in sentence for sentence in rows[behind]["missing"])
    assert not any("bytes lost" in sentence for row in rows.values() for sentence in row["missing"])
    [connection] = late
    assert connection["before"]["out"] > carried[0] and connection["before"]["in"] > carried[1], "plaintext and TLS around it"
    ends = [connection["before"][way] + connection["bytes"][way] for way in ("out", "in")]
    assert ends[0] > len(server.plaintext(1)[0]), "before and since is all there was"
