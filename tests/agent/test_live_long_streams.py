"""One long HTTP/2 connection of a Go client and watches over HTTP/1.1, and the deaths of agent and collector beside them.

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
from typing import Any

import pytest
from support.apiserver import ApiServer, running
from support.collectors import ask, collector, kill, start
from support.go_peer import built
from support.kernel import cgroup, entering, skip_without_kernel

from chaperone.agent.deliver.leftovers import DIED

pytestmark = pytest.mark.kernel
PATIENCE_S = 90
PODS = "/api/v1/namespaces/default/pods"
WATCH = """
import http.client, ssl, sys
port, ca, token, path = sys.argv[1:]
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=ca))
connection.request("GET", path, headers={"Authorization": "Bearer " + token})
answer = connection.getresponse()
while answer.readline():
    print(flush=True)
"""


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


class Watching:
    """A watch over HTTP/1.1, which goes on until its program is killed."""

    def __init__(self, path: Path, server: ApiServer, name: str) -> None:
        self.heard, self.server, self.uri = 0, server, f"{PODS}?watch=true&name={name}"
        command = [sys.executable, "-c", WATCH, str(server.port), str(server.ca), server.token, self.uri]
        self.process = subprocess.Popen([*entering(path), *command], stdout=subprocess.PIPE)
        self.go_on(1)

    def go_on(self, events: int) -> None:
        """Until it has had so many more."""
        assert self.process.stdout
        for _ in range(events):
            assert self.process.stdout.readline()
            self.heard += 1

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def sent(self) -> list[str]:
        """The versions in the events that the server sent, in order."""
        [number] = {line["connection"] for line in self.server.requests() if line["requestURI"] == self.uri}
        _, _, body = self.server.plaintext(number)[1].partition(b"\r\n\r\n")
        return [version_of(line.decode()) for line in body.split(b"\r\n") if line.startswith(b"{")]


def events_of(moments: list[dict[str, Any]], uri: str) -> list[str]:
    """The versions in those of a watch that are recorded, in order."""
    [call] = {moment["document"]["id"] for moment in moments if moment["kind"] == "call" and moment["document"]["requestURI"] == uri}
    pieces = [moment["document"] for moment in moments if moment["kind"] == "piece" and moment["document"]["call"] == call]
    return [version_of(piece["body"]["data"]) for piece in pieces]


def version_of(event: str) -> str:
    """By which an event is known from the others."""
    return str(json.loads(event)["object"]["metadata"]["resourceVersion"])


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
        client, early = Client(path, server, tmp_path), Watching(path, server, "early")
        said: dict[str, list[str]] = {"first": [], "second": [], "third": []}
        until(lambda: len(uris(store, before)) >= 4, lambda: said["first"].append(client.ask("first")))
        first.kill()
        first.wait()
        nobody = [client.ask("nobody") for _ in range(3)]
        early.go_on(3)
        carried = [len(side) for side in server.plaintext(1)]
        second, behind = agent(path, store)
        until(lambda: len(uris(store, behind)) >= 4, lambda: said["second"].append(client.ask("second")))
        late = Watching(path, server, "late")
        late.go_on(3)
        said["since"] = [client.ask("since") for _ in range(4)]
        kill(keeper)
        said["third"] += [client.ask("third") for _ in range(3)]
        late.go_on(3)
        with collector(store):
            until(lambda: thirds(store, behind) >= 6, lambda: said["third"].append(client.ask("third")))
            late.go_on(3)
            for one in (early, late):
                one.end()
            client.process.kill()
            client.process.communicate()
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0
            recorded = {session: uris(store, session) for session in (before, behind)}
            rows = {session: ask(store, "session.summary", session=session)[0] for session in (before, behind)}
            joined = [one for one in ask(store, "connections.list", session=behind) if "before" in one]
            moments = {session: ask(store, "replay", session=session, bodies=True) for session in (before, behind)}
    assert {line["connection"] for line in server.requests() if line["requestURI"].startswith(f"{PODS}/")} == {1}, "all on one connection"
    assert set(recorded[before]) <= set(said["first"]) and len(recorded[before]) >= 4
    assert len(recorded[behind]) == len(set(recorded[behind])), "nothing twice"
    assert set(recorded[behind]) <= {*said["second"], *said["since"], *said["third"]}
    assert {*said["since"], *said["third"]} <= set(recorded[behind]), "all, once it had found where to read on"
    assert not set(nobody) & {*recorded[before], *recorded[behind]}
    assert [moment["kind"] for moment in moments[before]].count("piece") >= 1, "the watch's events"
    first, then = events_of(moments[before], early.uri), events_of(moments[behind], late.uri)
    assert first and first == early.sent()[: len(first)]
    assert late.heard <= len(then) and then == late.sent()[: len(then)], "also while no collector was"
    stated = {moment["document"]["cause"] for moment in moments[behind] if moment["kind"] == "gap"}
    assert "no start line behind a hole" in stated, "what the first watch brought since, in no frame that shows where it begins"
    assert any(DIED in sentence for sentence in rows[before]["missing"])
    assert any("read from the middle" in sentence for sentence in rows[behind]["missing"])
    assert any("were carried before" in sentence for sentence in rows[behind]["missing"])
    assert not any("bytes lost" in sentence for row in rows.values() for sentence in row["missing"])
    connection, _ = sorted(joined, key=lambda one: -one["bytes"]["out"])  # the watches over HTTP/1.1 ask once
    assert connection["before"]["out"] > carried[0] and connection["before"]["in"] > carried[1], "plaintext and TLS around it"
    ends = [connection["before"][way] + connection["bytes"][way] for way in ("out", "in")]
    assert ends[0] > len(server.plaintext(1)[0]), "before and since is all there was"
