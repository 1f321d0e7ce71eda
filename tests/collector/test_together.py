"""Answers of several laid together; over the wire: test_live_together.py."""

import asyncio
from collections.abc import Mapping
from typing import Any

from chaperone.collector.alone import Alone
from chaperone.collector.serve.peers import Heard, Peers
from chaperone.collector.survey import Nodes
from chaperone.collector.together import Together

Rows = list[dict[str, Any]]


class Others(Peers):
    """They answer by a table."""

    def __init__(self, rows: Mapping[str, Rows], *missing: str) -> None:
        super().__init__(("a:1", "b:1", "c:1"), "b:1")
        object.__setattr__(self, "heard", Heard(rows, missing))

    async def ask(self, question: str, parameters: dict[str, Any], patience_s: float = 5.0) -> Heard:
        found: Heard = getattr(self, "heard")  # noqa: B009
        return found


def together(peers: Peers, effective: str = "nothing") -> Together:
    return Together(
        peers, Alone(lambda: frozenset({"n1"}), lambda: {"pid": 1}, lambda session: {"session": session, "effective": effective})
    )


def test_nodes_are_those_of_all_and_the_first_that_answers_speaks() -> None:
    later = together(Others({"a:1": [{"nodes": ["n2"]}]}, "c is gone"))
    assert asyncio.run(later.nodes()) == Nodes(frozenset({"n1", "n2"}), ("c is gone",), is_ours=False)
    assert asyncio.run(together(Others({}, "a is gone")).nodes()).is_ours
    assert asyncio.run(together(Peers()).nodes()) == Nodes(frozenset({"n1"}))


def test_status_has_a_row_of_each() -> None:
    found = asyncio.run(together(Others({"a:1": [{"nodes": ["n2"], "pid": 2}]}, "c is gone")).status())
    assert [(one["collector"], one["pid"]) for one in found["collectors"]] == [("a:1", 2), ("b:1", 1)]
    assert found["missing"] == ["c is gone"]


def test_who_hears_a_workloads_agent_says_how_it_is_governed() -> None:
    seen = Others({"a:1": [{"session": "s", "effective": "enforce"}, {"session": "t", "effective": "nothing"}]})
    for own, expected in (("nothing", ["enforce", "nothing"]), ("record", ["record", "record"])):
        rows = asyncio.run(together(seen, own).workloads([{"session": "s", "workload": "w"}, {"session": "t", "workload": "w"}]))
        assert [row["effective"] for row in rows] == expected and rows[0]["workload"] == "w"
