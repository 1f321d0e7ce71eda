"""What a collector answers others of its database. Over the wire: test_live_together.py."""

import asyncio
import json
from typing import Any

import pytest

from chaperone.collector.alone import Alone

ALONE = Alone(lambda: frozenset({"b", "a"}), lambda: {"pid": 1}, lambda session: {"session": session, "effective": "record"})


def asked(name: str, **given: Any) -> list[dict[str, Any]]:
    return asyncio.run(ALONE.ask(name, json.dumps(given)))


def test_it_says_whose_agents_call_and_how_it_sees_workloads() -> None:
    assert asked("live") == [{"nodes": ["a", "b"], "pid": 1}]
    assert [row["session"] for row in asked("workloads", sessions=["s", "t"])] == ["s", "t"]


@pytest.mark.parametrize(("name", "given"), [("status", {}), ("workloads", {}), ("workloads", {"sessions": 5})])
def test_what_is_no_question_between_collectors_is_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"called|expected"):
        asked(name, **given)
