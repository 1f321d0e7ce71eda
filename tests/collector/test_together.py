"""Answers of several laid together; over the wire: test_live_together.py."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from support.approving import ANN, World, wanting

from chaperone.collector.alone import Alone
from chaperone.collector.enforce.approvals.votes import VoteError
from chaperone.collector.enforce.kills import Kill, Said
from chaperone.collector.enforce.orders import Wanted
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.serve.peers import Heard, Peers, SilentError
from chaperone.collector.survey import Nodes
from chaperone.collector.together import Together, glass_of_others, kills_of_others

Rows = list[dict[str, Any]]


class Others(Peers):
    """They answer by a table."""

    def __init__(self, rows: Mapping[str, Rows], *missing: str) -> None:
        super().__init__(("a:1", "b:1", "c:1"), "b:1")
        object.__setattr__(self, "heard", Heard(rows, missing))

    async def ask(self, question: str, parameters: dict[str, Any], patience_s: float = 5.0) -> Heard:
        found: Heard = getattr(self, "heard")  # noqa: B009
        return found

    async def tell(self, address: str, question: str, parameters: dict[str, Any], patience_s: float = 5.0) -> Rows:
        if address == "c:1":
            raise SilentError("c is gone")
        return [{"told": 1, "result": "ended", "person": parameters.get("person")}]


NOBODY: Any = None  # nothing is ended or broken here


def together(peers: Peers, effective: str = "nothing", is_shared: bool = True) -> Together:
    """Of a collector that n1's agent calls, whose one request waits."""
    office = World().office()
    office.asked(Wanted(wanting(1, of={"user": "agent", "node": "n1"})))

    def modes(session: str) -> dict[str, Any]:
        return {"session": session, "effective": effective}

    return Together(peers, Alone(lambda: frozenset({"n1"}), lambda: {"pid": 1}, modes, office, NOBODY, NOBODY, NOBODY, NOBODY), is_shared)


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


def decided(peers: Peers, prefix: str = "", is_shared: bool = True) -> Any:
    async def decide() -> Any:
        return await together(peers, is_shared=is_shared).decide(prefix, ANN, True, " ")

    return asyncio.run(decide())


def test_a_word_about_an_approval_goes_to_the_one_that_has_its_agent() -> None:
    found = decided(Others({"a:1": [{"id": "zz1"}]}), "zz")
    assert found["person"] == {"name": "user:ann", "groups": ["sre"], "how": ", by collector b:1"}
    for peers in (Others({}), Peers()):
        with pytest.raises(VoteError, match="a reason is needed"):
            decided(peers)  # our own office was asked


@pytest.mark.parametrize(
    ("rows", "prefix", "sentence"),
    [
        ({}, "zz", "no approval's id begins with 'zz', of a node whose agent calls a collector now; c is gone"),
        ({"a:1": [{"id": "zz1"}, {"id": "zz2"}]}, "zz", "more than one approval's id begins with 'zz'"),
        ({"a:1": [{"id": "zz1"}], "c:1": [{"id": "zz1"}]}, "zz", "is just changing from one collector to another"),
        ({"c:1": [{"id": "zz1"}]}, "zz", "c is gone; chaperone approvals show says how it stands"),
    ],
)
def test_nobody_decides_where_it_is_not_certain_who_has_the_agent(rows: Mapping[str, Rows], prefix: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        decided(Others(rows, "c is gone"), prefix)


def test_alone_with_a_store_the_office_decides_whether_or_not_the_agent_calls() -> None:
    with pytest.raises(VoteError, match=r"no approval's id begins with 'zz'$"):
        decided(Peers(), "zz", is_shared=False)


def test_each_other_collector_is_asked_to_end_something_and_told_of_broken_glass() -> None:
    kill = Kill("k", Ends.SESSION, "s", "s", "user:ann", "token", "why", 5)

    async def said() -> list[Said]:
        return [await each for each in kills_of_others(Others({}))(kill)]

    assert asyncio.run(said()) == [Said("ended", 1), Said(missing=("c is gone",))]
    heard = Others({"a:1": [{"told": ["n2"], "said": []}]}, "c is gone")
    assert asyncio.run(glass_of_others(heard)({"id": "g"})) == {"told": ["n2"], "said": [], "missing": ["c is gone"]}
