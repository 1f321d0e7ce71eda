"""The real process, without privilege, between a server over TLS and us."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.pod_api import PodApi, namespace, pod, pod_api

from chaperone.agent.cluster import source as module
from chaperone.agent.cluster.source import PodSource, Where
from chaperone.agent.pods.census import Census

PODS, NAMESPACES = "/api/v1/pods", "/api/v1/namespaces"
SERVICES, SLICES = "/api/v1/namespaces/default/services", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class Node:
    """A source that fills a census."""

    def __init__(self, api: PodApi) -> None:
        self.census = Census()
        where = Where("127.0.0.1", api.port, "n1", api.directory)
        self.source = PodSource(where, lambda message: self.census.take(message, 0), self.census.begin_again)

    def until(self, is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline, self.census
            self.source.step()
            time.sleep(0.01)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[PodApi]:
    with pod_api(tmp_path) as opened:
        opened.put(PODS, pod("a", "u1", labels={"app": "x"}))
        opened.put(NAMESPACES, namespace("demo", team="red"))
        opened.put(SERVICES, {"metadata": {"namespace": "default", "name": "kubernetes"}, "spec": {"clusterIP": "10.0.0.1"}})
        yield opened


@pytest.fixture
def node(api: PodApi) -> Iterator[Node]:
    made = Node(api)
    yield made
    made.source.close()


def test_it_ends_in_silence_when_its_agent_is_killed(api: PodApi, node: Node, capfd: pytest.CaptureFixture[str]) -> None:
    """With messages that nobody has read: the kernel resets the socket."""
    node.source.step()
    assert node.source._child and node.source._child.socket.recv(1, socket.MSG_PEEK)
    node.source._child.socket.close()
    assert node.source._child._process.wait(30) == 0
    assert capfd.readouterr().err == ""


def test_pods_namespaces_and_addresses_are_told(api: PodApi, node: Node) -> None:
    node.until(lambda: node.census.is_complete and node.census.servers.addresses(0))
    facts = node.census.pod("u1")
    assert facts and (facts.namespace, facts.name, facts.labels) == ("demo", "a", {"app": "x"})
    assert node.census.namespaces == {"demo": {"team": "red"}}
    assert node.census.servers.addresses(0) == ("10.0.0.1:443",)
    endpoints = [{"addresses": ["192.0.2.7"]}]
    about = {"namespace": "default", "name": "kubernetes"}
    api.put(SLICES, {"metadata": about, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 6443}]})
    node.until(lambda: "192.0.2.7:6443" in node.census.servers.addresses(0))


def test_its_process_has_no_privilege(node: Node) -> None:
    node.until(lambda: node.census.is_complete)
    tasks = list(Path(f"/proc/{node.source.pid}/task").iterdir())
    assert len(tasks) == 5, "one per kind"
    for task in tasks:
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
        assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh")} <= {"0" * 16, status["CapBnd"]}
        assert (status["CapEff"], status["NoNewPrivs"]) == ("0" * 16, "1")
        assert os.geteuid() or set(status["Uid"].split()) == {"65534"}


def test_a_token_that_changed_is_read_again(api: PodApi, node: Node) -> None:
    node.until(lambda: node.census.is_complete)
    api.authorize("token-2", tells=False)
    api.hang_up()
    node.until(lambda: node.census.trouble)
    assert set(node.census.trouble.values()) == {"the API server answers 401"}
    api.authorize("token-2")
    api.put(PODS, pod("b", "u2"))
    node.until(lambda: node.census.pod("u2") and not node.census.trouble)


def test_a_process_that_died_is_started_again_and_tells_all_anew(api: PodApi, node: Node) -> None:
    api.put(PODS, pod("b", "u2"))
    node.until(lambda: node.census.pod("u2") and node.census.is_complete)
    first = node.source.pid
    os.kill(first, 9)
    api.remove(PODS, "demo", "b")
    node.until(lambda: node.source.pid not in (0, first) and len(node.census.pods()) == 1)
    assert node.census.pod("u2"), "remembered for its last events"


def test_without_an_account_it_says_so(api: PodApi, node: Node) -> None:
    (api.directory / "token").unlink()
    node.until(lambda: node.census.trouble)
    assert node.census.trouble == {"pods": "the service account's files can't be read (FileNotFoundError)"}


def test_words_that_make_no_sense_end_the_process(api: PodApi, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.until(lambda: node.census.is_complete)
    first = node.source.pid

    def refuse(data: bytes) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(module, "unpack", refuse)
        api.put(PODS, pod("b", "u2"))
        node.until(lambda: node.census.trouble)
    node.until(lambda: node.source.pid not in (0, first) and node.census.pod("u2"))
