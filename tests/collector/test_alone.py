"""What a collector answers others of its database. Over the wire: test_live_together.py."""

import asyncio
import json
from typing import Any

import pytest
from support.approving import World, wanting

from chaperone.collector.alone import Alone
from chaperone.collector.enforce.orders import Wanted

NOBODY: Any = None  # nothing is ended or broken here
WORLD = World()


async def alerts(name: str, parameters: str) -> list[dict[str, Any]]:
    return [{"asked": name, **json.loads(parameters)}]


ALONE = Alone(
    lambda: frozenset({"b", "n1"}),
    lambda: {"pid": 1},
    lambda session: {"session": session, "effective": "record"},
    WORLD.office(),
    NOBODY,
    NOBODY,
    alerts,
    lambda: [{"name": "agents", "status": {}}],
)


def asked(name: str, **given: Any) -> list[dict[str, Any]]:
    return asyncio.run(ALONE.ask(name, json.dumps(given)))


def test_it_says_whose_agents_call_and_how_it_sees_workloads() -> None:
    assert asked("live") == [{"nodes": ["b", "n1"], "pid": 1}]
    assert asked("policies") == [{"name": "agents", "status": {}}]
    assert [row["session"] for row in asked("workloads", sessions=["s", "t"])] == ["s", "t"]


@pytest.mark.parametrize(
    ("name", "given"), [("status", {}), ("workloads", {}), ("workloads", {"sessions": 5}), ("approvals.decide", {"approval": "a"})]
)
def test_what_is_no_question_between_collectors_is_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"called|expected"):
        asked(name, **given)


def test_only_approvals_of_nodes_whose_agent_calls_are_ours() -> None:
    here, away = (
        ALONE.office.asked(Wanted(wanting(number, of={"user": "agent", "node": node}))).id for number, node in ((1, "n1"), (2, "n2"))
    )
    assert asked("approvals.here", approval="") == [{"id": here}] and asked("approvals.here", approval=away) == []


def test_of_alerts_whoever_has_the_outbox_answers_but_which_file_it_uses_is_no_question_of_others() -> None:
    assert asked("alerts.list", after=3) == [{"asked": "alerts.list", "after": 3}]
    with pytest.raises(ValueError, match=r"nothing that is called 'alerts.use'"):
        asked("alerts.use", file="/etc/passwd")
