"""The real agent under the real launcher, with a collector that decides: what real clients and their server see."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import doubled_launcher
from support.apiserver import ApiServer, apiserver
from support.deciding_collector import DecidingCollector, Judge
from support.kernel import skip_without_kernel

from chaperone.agent.hold.enforcement import terms_of
from chaperone.agent.hold.terms import Terms
from chaperone.agent.settings import SessionOptions
from chaperone.collector.wire.events import Request
from chaperone.proto.records import Hold, Outcome
from chaperone.proto.refusals import Refusal

__all__ = ["apiserver"]
SECOND = 1_000_000_000
NO = Refusal("r-1", 'denied by policy "no-changes"')
PODS = "/api/v1/namespaces/default/pods"


def no_changes(request: Request) -> Refusal | None:
    return None if request.method == "GET" and "/exec" not in request.target else NO


@contextmanager
def deciding(tmp_path: Path, judge: Judge = no_changes) -> Iterator[DecidingCollector]:
    skip_without_kernel()
    collector = DecidingCollector(tmp_path / "collector.sock", judge)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def launch(collector: DecidingCollector, server: ApiServer, *command: str, **terms: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(doubled_launcher.__file__).parents[1]),
        "COLLECTOR_SOCKET": str(collector.socket),
        "KUBECONFIG": str(server.kubeconfig),
        "ENFORCE": json.dumps({"mode": "enforce", "on_failure": "deny", **terms}),
    }
    argv = [sys.executable, doubled_launcher.__file__, *command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False, env=environment)


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
        assert set(outcomes(collector)) <= {"pass", "skip", "write"} and len(outcomes(collector)) > 5
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


def test_terms_are_those_of_the_options() -> None:
    assert terms_of(SessionOptions()) is None
    assert terms_of(SessionOptions(mode="record")) is None
    assert terms_of(SessionOptions(mode="enforce")) == Terms()
    told = SessionOptions(mode="enforce", on_failure="deny", verdict_timeout_s="0.5", hold_limit_s="30")
    assert terms_of(told) == Terms(denies=True, verdict_timeout=SECOND // 2, hold_limit=30 * SECOND)
