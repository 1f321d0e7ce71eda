"""Startup taints on a double over TLS: only that taint goes, and only from the node that it was read from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.node_api import OTHER, UNREADY, NodeApi, node_api

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.lookup.startup import TAINT, agents, lift, ready_nodes, without_taint


@pytest.fixture
def api(tmp_path: Path) -> Iterator[NodeApi]:
    with node_api(tmp_path) as opened:
        opened.nodes["n1"] = [*UNREADY]
        yield opened


def asker(api: NodeApi) -> Access:
    assert api.access
    return api.access


def test_both_effects_of_it_go_and_no_other_taint(api: NodeApi) -> None:
    assert lift(asker(api), "n1")
    assert api.nodes["n1"] == [OTHER] and api.patches() == 1
    assert not lift(asker(api), "n1") and api.patches() == 1


@pytest.mark.parametrize("name", ["", "gone", "../secrets", "n1/status", "N1", "n1?x=y", "a..b"])
def test_a_node_that_is_none_is_left_alone(api: NodeApi, name: str) -> None:
    assert not lift(asker(api), name)
    assert {path for _, path in api.asked} <= {"/api/v1/nodes/gone"}


def test_one_that_changed_meanwhile_is_not_touched(api: NodeApi) -> None:
    def changed() -> None:
        api.nodes["n1"] = [OTHER, *UNREADY]

    api.meanwhile = changed
    with pytest.raises(UnansweredError, match="it changed meanwhile"):
        lift(asker(api), "n1")
    assert api.nodes["n1"] == [OTHER, *UNREADY]


def test_a_refusal_says_what_was_asked(api: NodeApi) -> None:
    api.refuses = 403
    with pytest.raises(UnansweredError, match="answered 403 when it was asked about node n1"):
        lift(asker(api), "n1")
    with pytest.raises(UnansweredError, match="answered 403 to a list of"):
        agents(asker(api), "chaperone")


def test_only_pods_that_are_ready_and_stay_count(api: NodeApi) -> None:
    api.agents = {"a": ("n1", True), "b": ("n2", False)}
    found = agents(asker(api), "chaperone")
    assert ready_nodes(found) == {"a": "n1"}
    assert ready_nodes([{**found[0], "metadata": {"uid": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}]) == {}
    assert ready_nodes([{}, {"status": {"conditions": [7]}}]) == {}


def test_places_are_taken_from_the_last_on() -> None:
    assert [step["path"] for step in without_taint([*UNREADY])] == [
        "/spec/taints/2/key",
        "/spec/taints/2",
        "/spec/taints/0/key",
        "/spec/taints/0",
    ]
    assert without_taint([OTHER, {}]) == [] and without_taint([{"key": TAINT}])[0]["op"] == "test"
