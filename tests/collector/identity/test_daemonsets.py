"""DaemonSets of a cluster, through the real client over real TLS."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from support.api_double import ApiDouble
from support.daemon_sets_api import DaemonSetsApi, daemon_sets_api

from chaperone.collector.identity.away import Pod
from chaperone.collector.identity.cluster import Cluster, ClusterError
from chaperone.collector.identity.daemonsets import DaemonSets

T = TypeVar("T")
Api = tuple[DaemonSetsApi, ApiDouble]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with daemon_sets_api(tmp_path) as opened:
        yield opened


def asked(api: Api, folder: Path, question: Callable[[DaemonSets], Awaitable[T]]) -> T:
    async def run() -> T:
        cluster = Cluster(api[1].kubeconfig(folder))
        try:
            return await question(DaemonSets(cluster, "chaperone"))
        finally:
            await cluster.close()

    return asyncio.run(run())


def test_how_many_nodes_it_is_not_ready_on(api: Api, tmp_path: Path) -> None:
    api[0].sets["a"] = 1
    assert asked(api, tmp_path, lambda sets: sets.waiting("a")) == (1, 1), "nobody knows yet"
    assert asked(api, tmp_path, lambda sets: sets.waiting("a")) == (1, 3)
    assert asked(api, tmp_path, lambda sets: sets.waiting("a")) == (0, 3)
    assert asked(api, tmp_path, lambda sets: sets.waiting("b")) is None


def test_one_that_is_deleted_is_there_until_its_pods_are_gone(api: Api, tmp_path: Path) -> None:
    api[0].sets["a"] = 2
    asked(api, tmp_path, lambda sets: sets.delete("a"))
    assert asked(api, tmp_path, lambda sets: sets.waiting("a"))
    for _ in range(2):
        asked(api, tmp_path, lambda sets: sets.delete("a"))
    assert asked(api, tmp_path, lambda sets: sets.waiting("a")) is None
    asked(api, tmp_path, lambda sets: sets.delete("a"))


def test_its_pods_are_those_of_its_selector_and_say_how_their_nodes_are(api: Api, tmp_path: Path) -> None:
    api[0].away, api[0].sets = 1, {"a": 1, "agent": 2}
    api[0].leaving.add("agent")
    assert asked(api, tmp_path, lambda sets: sets.pods("a")) == (
        Pod("a-n1", "n1", is_ready=True),
        Pod("a-n2", "n2", is_ready=True),
        Pod("a-n3", "n3", is_ready=False, has_begun=False),
    )
    assert asked(api, tmp_path, lambda sets: sets.pods("agent")) == (Pod("agent-n3", "n3", is_ready=False, is_cut_off=True, grace_s=1.0),)
    assert asked(api, tmp_path, lambda sets: sets.pods("b")) == ()


def test_a_refusal_is_an_error(api: Api, tmp_path: Path) -> None:
    api[0].refuses = [403, 500, 403]
    for work in (lambda sets: sets.delete("a"), lambda sets: sets.waiting("a"), lambda sets: sets.pods("a")):
        with pytest.raises(ClusterError):
            asked(api, tmp_path, work)
