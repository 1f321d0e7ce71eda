"""Which nodes have their startup taint lifted, and when."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.node_api import OTHER, UNREADY, NodeApi, node_api

from chaperone.collector.taints import Taints


@pytest.fixture
def api(tmp_path: Path) -> Iterator[NodeApi]:
    with node_api(tmp_path) as opened:
        opened.nodes = {name: [*UNREADY] for name in ("n1", "n2")}
        opened.agents = {"a": ("n1", True), "b": ("n2", False)}
        yield opened


def taints(api: NodeApi, said: list[str]) -> Taints:
    assert api.access
    return Taints(api.access, "chaperone", said.append)


def test_a_node_is_free_when_its_agent_is_ready_and_not_before(api: NodeApi) -> None:
    said: list[str] = []
    lifter = taints(api, said)
    assert asyncio.run(lifter.look()) == 2
    assert (api.nodes["n1"], api.nodes["n2"]) == ([OTHER], UNREADY)
    asked = len(api.asked)
    asyncio.run(lifter.look())
    assert len(api.asked) == asked + 1, "the list alone: nothing new is ready"
    api.agents["b"] = ("n2", True)
    asyncio.run(lifter.look())
    assert api.nodes["n2"] == [OTHER]
    assert said == [f"the startup taint of node {name} is lifted: its agent is ready" for name in ("n1", "n2")]


def test_a_node_that_comes_again_is_looked_at_again(api: NodeApi) -> None:
    lifter = taints(api, [])
    for is_ready in (True, False, True):
        api.nodes["n1"], api.agents["a"] = [*UNREADY], ("n1", is_ready)
        asyncio.run(lifter.look())
        assert (api.nodes["n1"] == [OTHER]) is is_ready


def test_what_is_in_the_way_is_said_once_and_tried_again(api: NodeApi) -> None:
    said: list[str] = []
    lifter = taints(api, said)
    api.refuses = 403
    assert asyncio.run(lifter.look()) == asyncio.run(lifter.look()) == 0
    api.refuses = 0
    api.meanwhile = lambda: api.nodes["n1"].insert(0, OTHER)
    asyncio.run(lifter.look())
    api.meanwhile = None
    asyncio.run(lifter.look())
    assert len(said) == 3 and "answered 403" in said[0] and "changed meanwhile" in said[1] and "is lifted" in said[2]
