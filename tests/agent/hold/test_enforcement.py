"""The real agent under the real launcher, with a collector that decides: what real clients and their server see."""

import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from support import no_tracing
from support.apiserver import ApiServer, apiserver
from support.deciding_collector import DecidingCollector
from support.enforced import until
from support.launched import deciding, launch, launching

from chaperone.agent.hold.enforcement import Enforcement, terms_of
from chaperone.agent.hold.holds import UNTRACEABLE
from chaperone.agent.hold.layout import STALE_NS
from chaperone.agent.hold.orders import Order
from chaperone.agent.hold.terms import Terms
from chaperone.agent.settings import SessionOptions
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Hold, Note, Outcome

__all__ = ["apiserver"]
SECOND = 1_000_000_000
PODS = "/api/v1/namespaces/default/pods"


def outcomes(collector: DecidingCollector) -> list[str]:
    """What was done about each hold, in the order of the holds: one outcome each."""
    found = {record.hold: record.order for record in collector.records() if isinstance(record, Outcome)}
    holds = [record.hold for record in collector.records() if isinstance(record, Hold)]
    assert sorted(holds) == sorted(found)
    return [found[hold] for hold in holds]


def changes(server: ApiServer) -> list[str]:
    return [asked["requestURI"] for asked in server.requests() if asked["method"] != "GET" or "/exec" in asked["requestURI"]]


def curl(server: ApiServer, *options: str) -> list[str]:
    return ["curl", "-sS", "--cacert", str(server.ca), "-H", f"Authorization: Bearer {server.token}", *options]


@pytest.mark.kernel
def test_kubectl_reads_under_holds_as_without(tmp_path: Path, apiserver: ApiServer) -> None:
    with deciding(tmp_path) as collector:
        done = launch(collector, apiserver, "kubectl", "get", "pods", "-o", "name")
        assert (done.returncode, done.stdout) == (0, "pod/agent\npod/web-5b8b5f6f8f-gfvjk\n")
        assert set(outcomes(collector)) <= {"pass", "skip", "write"} and len(outcomes(collector)) >= len(apiserver.requests()) > 0
        streams = collector.streams.values()
        assert sorted(len(stream.requests) for stream in streams) == [len(apiserver.requests())]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        ("delete pod agent", "Error from server (Forbidden)"),
        ("exec agent -- id", "unable to upgrade connection"),  # 1.32: as above
    ],
)
def test_kubectl_prints_the_refusal(tmp_path: Path, apiserver: ApiServer, command: str, prefix: str) -> None:
    with deciding(tmp_path) as collector:
        done = launch(collector, apiserver, "kubectl", *command.split())
        assert done.returncode == 1
        assert f'{prefix}: denied by policy "no-changes"' in done.stderr
        assert not changes(apiserver)
        assert "answer" in outcomes(collector)


@pytest.mark.kernel
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_reads_a_403_and_its_connection_stays(tmp_path: Path, apiserver: ApiServer, version: str) -> None:
    url = apiserver.url + PODS
    asked = curl(apiserver, version, "-w", "%{http_code}/%{num_connects}\\n", "-o", str(tmp_path / "out"))
    command = [*asked, "-X", "POST", "-d", "x" * 20_000, url, "--next", *asked[1:], url]
    with deciding(tmp_path) as collector:
        done = launch(collector, apiserver, *command)
        assert done.stdout.split() == ["403/1", "200/0"]
        assert not changes(apiserver) and b"pod" in (tmp_path / "out").read_bytes()


@pytest.mark.kernel
def test_without_a_decision_the_policy_counts(tmp_path: Path, apiserver: ApiServer) -> None:
    with deciding(tmp_path) as collector:
        collector.is_silent = True
        command = curl(apiserver, "--http1.1", apiserver.url + PODS)
        done = launch(collector, apiserver, *command, verdict_timeout_s="0.3")
        assert done.returncode
        assert outcomes(collector) == ["timeout-deny"] and not apiserver.requests()


@pytest.mark.kernel
def test_what_cannot_be_enforced_is_noted(tmp_path: Path, apiserver: ApiServer) -> None:
    with deciding(tmp_path) as collector:
        collector.is_silent = True
        command = curl(apiserver, "--http1.1", apiserver.url + PODS)
        script = " ".join([f"{shlex.join(command)};"] * 4)
        launch(collector, apiserver, "sh", "-c", script, on_failure="allow", verdict_timeout_s="0.3")
        assert outcomes(collector) == ["timeout-allow"] * 4 and len(apiserver.requests()) == 4
        notes = [record.text for record in collector.records() if isinstance(record, Note) and record.subject == "enforcement"]
        assert notes == ["the collector did not decide in time three times in a row: onFailure counted at once"]


@pytest.mark.kernel
@pytest.mark.parametrize(("on_failure", "asked", "done"), [("allow", 1, "timeout-allow"), ("deny", 0, "timeout-deny")])
def test_where_nobody_may_trace_the_policy_counts_and_that_is_said(
    tmp_path: Path, apiserver: ApiServer, on_failure: str, asked: int, done: str
) -> None:
    """A filter of system calls says what Yama's ptrace_scope 3 would, which no kernel takes back."""
    with deciding(tmp_path) as collector:
        under = [sys.executable, no_tracing.__file__]
        launch(collector, apiserver, *curl(apiserver, "--http1.1", apiserver.url + PODS), under=under, on_failure=on_failure)
        assert (set(outcomes(collector)), len(apiserver.requests())) == ({done}, asked)
        notes = [record.text for record in collector.records() if isinstance(record, Note) and record.subject == "enforcement"]
        assert notes == [UNTRACEABLE]


def test_terms_are_those_of_the_options() -> None:
    assert terms_of(SessionOptions()) is None
    assert terms_of(SessionOptions(mode="record")) is None
    assert terms_of(SessionOptions(mode="enforce")) == Terms()
    told = SessionOptions(mode="enforce", on_failure="deny", verdict_timeout_s="0.5", hold_limit_s="30", uncovered="deny")
    assert terms_of(told) == Terms(denies=True, verdict_timeout=SECOND // 2, hold_limit=30 * SECOND, covers=True)


class Asked:
    """Holds of which all wait."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def order(self, order: Order) -> bool:
        self.orders.append(order)
        return True


@pytest.mark.parametrize("allows_edits", [False, True])
def test_bytes_of_the_collectors_own_need_the_nodes_consent(allows_edits: bool) -> None:
    enforcement, asked = Enforcement(None, allows_edits), Asked()  # type: ignore[arg-type]
    enforcement.holds = {1: asked}  # type: ignore[dict-item]
    for kind in ("write", "answer"):
        said = wire.Order(hold=kind, **{kind: {"data": b"x"}})
        enforcement.take(wire.Downward(order=said))
    enforcement.take(wire.Downward(order=wire.Order(hold="pass", **{"pass": wire.Pass()})))
    assert [order.hold for order in asked.orders] == (["write", "answer", "pass"] if allows_edits else ["pass"])


TWICE = """
import http.client, pathlib, ssl, sys, time
url, ca, go = sys.argv[1:]
def ask(path):
    tls = ssl.create_default_context(cafile=ca)
    peer = http.client.HTTPSConnection(url.removeprefix("https://"), context=tls, timeout=4)
    peer.request("GET", path)
    return peer.getresponse().read()
ask("/healthz")
pathlib.Path(go + ".first").touch()
while not pathlib.Path(go).exists(): time.sleep(0.01)
try: ask("/version")
except OSError as error: print("refused", type(error).__name__)
"""


@pytest.mark.kernel
def test_an_idle_agent_that_is_killed_leaves_the_lock(tmp_path: Path, apiserver: ApiServer) -> None:
    """Nothing is held then, and no probe is there any more: the kernel alone keeps a request from leaving."""
    go = tmp_path / "go"
    with deciding(tmp_path) as collector:
        process = launching(collector, apiserver, sys.executable, "-c", TWICE, apiserver.url, str(apiserver.ca), str(go))
        until(lambda: go.with_name("go.first").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        os.kill(agent_below(process.pid), signal.SIGKILL)
        time.sleep(STALE_NS / SECOND + 0.5)
        go.touch()
        said = process.communicate(timeout=60)[0]
    assert said.splitlines()[:1] == ["refused TimeoutError"]
    assert [asked["requestURI"] for asked in apiserver.requests()] == ["/healthz"]


def agent_below(pid: int) -> int:
    """The agent's process among a launcher's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (found,) = [child for child in children if b"chaperone.agent" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return int(found)
