"""When a node counts as away, by a clock that the test moves."""

import pytest

from chaperone.collector.identity.away import BEGIN_S, SLACK_S, Away, Pod


@pytest.mark.parametrize(
    ("pod", "after"),
    [
        (Pod("p", "n1", is_ready=False, is_cut_off=True), 0.0),
        (Pod("p", "n1", is_ready=False, is_cut_off=True, grace_s=30), 0.0),
        (Pod("p", "n1", is_ready=True, grace_s=30), 30 + SLACK_S),
        (Pod("p", "n1", is_ready=False, has_begun=False), BEGIN_S),
        (Pod("p", "n1", is_ready=False, has_begun=False, grace_s=0), SLACK_S),
        (Pod("p", "n1", is_ready=False), None),
        (Pod("p", "n1", is_ready=True), None),
        (Pod("p", "", is_ready=False, has_begun=False), None),
    ],
)
def test_a_node_is_away_after(pod: Pod, after: float | None) -> None:
    away = Away()
    away.look([pod], 100)
    assert bool(away.nodes) is (after == 0)
    away.look([pod], 100 + (after or 0))
    assert bool(away.nodes) is (after == 0)
    away.look([pod], 101 + (1e6 if after is None else after))
    assert away.nodes == (frozenset() if after is None else {"n1"})


def test_it_is_back_once_its_pods_are_as_they_should_be_and_time_counts_from_when_one_is_deleted() -> None:
    away, pod = Away(), Pod("p", "n1", is_ready=True)
    away.look([pod], 0)
    away.look([Pod("p", "n1", is_ready=True, grace_s=5)], 1000)
    assert not away.nodes
    away.look([Pod("p", "n1", is_ready=False, is_cut_off=True)], 1001)
    assert away.nodes == {"n1"}
    away.look([], 1002)
    assert not away.nodes
