"""Breaking the glass by a word to the collector: agents are made by hand, the event loop is real."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chaperone.collector.enforce import glass as module
from chaperone.collector.enforce.alert import alert_from, document
from chaperone.collector.enforce.glass import Glasses, Outside, alert_of, likeness
from chaperone.collector.times import rfc3339
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.records import BreakGlass

WHO = "user:ann", "token"
WORD = {"glass": True, "for": "15m", "nodes": [], "why": "stuck, hunter2"}
END = {"glass": False, "for": "", "nodes": [], "why": ""}
SECOND = 1_000_000_000


@dataclass
class World:
    """`silent`: agents that are told and say nothing."""

    silent: tuple[str, ...] = ()
    trouble: str = ""
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    told: list[tuple[str, pb.Glass]] = field(default_factory=list)
    glasses: Glasses | None = None

    def tell(self, agent: str, message: pb.Downward) -> None:
        self.told.append((agent, message.glass))
        if self.glasses and agent not in self.silent:
            self.glasses.heard(BreakGlass(message.glass.id, "n", 1, 2, "", ""), agent)

    async def keep(self, documents: Sequence[Mapping[str, Any]]) -> str:
        self.kept += documents
        return self.trouble

    def run(self, then: Callable[[Glasses], Awaitable[Any]]) -> Any:
        async def on() -> Any:
            agents = {"a1": "n1", "a2": "n2", "a3": "n2"}
            self.glasses = Glasses(Outside(lambda: agents, self.tell, self.keep, lambda text: text.replace("hunter2", "~")))
            self.glasses.recall([])
            return await then(self.glasses)

        return asyncio.run(on())


def test_it_is_recorded_then_told_and_every_node_has_said_so() -> None:
    world = World()
    found = world.run(lambda glasses: glasses.say(WORD, WHO))
    assert (found["told"], found["said"]) == (["n1", "n2"], ["n1", "n2"])
    [kept] = world.kept
    assert (kept["who"], kept["how"], kept["why"], kept["node"], kept["nodes"]) == ("user:ann", "token", "stuck, ~", "", [])
    assert [agent for agent, _ in world.told] == ["a1", "a2", "a3"]
    first = world.told[0][1]
    assert first.id == kept["id"] and first.who == "user:ann (token)" and first.why == "stuck, ~" and 0 < first.for_ns <= 900 * SECOND


def test_a_node_that_does_not_say_so_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    found = World(silent=("a1",)).run(lambda glasses: glasses.say(WORD, WHO))
    assert (found["told"], found["said"]) == (["n1", "n2"], ["n2"])


def test_some_nodes_can_be_named() -> None:
    world = World()
    found = world.run(lambda glasses: glasses.say({**WORD, "nodes": ["n1", "n9"]}, WHO))
    assert found["told"] == ["n1"] and [agent for agent, _ in world.told] == ["a1"]


def test_an_agent_that_calls_later_hears_of_the_rest() -> None:
    async def later(glasses: Glasses) -> Any:
        await glasses.say({**WORD, "nodes": ["n1"]}, WHO)
        greeted = glasses.greet("a9", "n1"), glasses.greet("a9", "n2")
        await glasses.say({**END, "nodes": ["n1"]}, WHO)
        return *greeted, glasses.greet("a9", "n1")

    concerned, other, ended = World().run(later)
    assert [message.glass.why for message in concerned] == ["stuck, ~"] and other == [] and ended == []


def test_what_an_earlier_collector_was_told_goes_on_until_its_time_is_over() -> None:
    now = time.time_ns()
    past = {"node": "", "nodes": [], "who": "user:ann", "how": "token", "why": "w"}
    kept = [past | {"id": "over", "until": rfc3339(now - 1)}, past | {"id": "on", "until": rfc3339(now + 60 * SECOND)}]

    async def recalled(glasses: Glasses) -> Any:
        glasses.recall([*kept, {"id": "g1/n1", "node": "n1", "until": rfc3339(now + 60 * SECOND)}])
        return glasses.greet("a1", "n1")

    [message] = World().run(recalled)
    assert message.glass.id == "on" and 0 < message.glass.for_ns <= 60 * SECOND


def test_ending_it_is_recorded_with_who_and_told_to_all() -> None:
    async def ended(glasses: Glasses) -> Any:
        await glasses.say(WORD, WHO)
        world.told.clear()
        return await glasses.say(END, ("user:bob", "certificate"))

    world = World()
    world.run(ended)
    assert (world.kept[-1]["endedBy"], world.kept[-1]["why"]) == ("user:bob", "stuck, ~") and world.kept[-1]["ended"]
    assert [(agent, told.end) for agent, told in world.told] == [("a1", True), ("a2", True), ("a3", True)]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ({**WORD, "for": "2d"}, "expected a time up to 24h"),
        ({**WORD, "why": " "}, "a reason is needed"),
        ({**WORD, "nodes": ["n"] * 1001}, "at most 1000 nodes"),
    ],
)
def test_an_odd_word_is_refused(word: dict[str, Any], sentence: str) -> None:
    world = World()
    with pytest.raises(ValueError, match=sentence):
        world.run(lambda glasses: glasses.say(word, WHO))
    assert (world.kept, world.told) == ([], [])


def test_nothing_is_done_that_cannot_be_recorded() -> None:
    world = World(trouble="no space left")
    with pytest.raises(ValueError, match="can't be recorded: no space left"):
        world.run(lambda glasses: glasses.say(WORD, WHO))
    assert world.told == []


BEGUN = BreakGlass("g1", "n1", 1, 2, "unix:root", "raw")


def test_the_alert_of_a_node_comes_once_at_the_begin_and_once_at_the_end() -> None:
    begun, over = (alert_of(one, ("unix:root", "masked"), "2026-01-01T00:00:00Z") for one in (BEGUN, replace(BEGUN, ended=9)))
    assert begun.message == "on node n1 nothing is held, denied or masked: the glass was broken by unix:root: masked"
    assert over.message.startswith("on node n1 policies have their effect again") and (begun.severity, over.severity) == (
        "critical",
        "info",
    )
    assert len({begun.id, over.id, alert_of(replace(BEGUN, node="n2"), ("", ""), "").id}) == 3
    assert begun.id == alert_of(replace(BEGUN, time=5), ("other", ""), "later").id, "agents of one node say the same"
    assert alert_from(document(begun)) == begun, "it goes through the outbox"
    assert likeness(BEGUN) == likeness(replace(BEGUN, node="n2")) != likeness(replace(BEGUN, ended=1))


def test_other_collectors_are_told_and_one_that_does_not_answer_is_named() -> None:
    words: list[dict[str, Any]] = []

    async def others(word: dict[str, Any]) -> dict[str, Any]:
        words.append(word)
        return {"told": ["n8", "n9"], "said": ["n8"], "missing": ["collector c is gone"]}

    async def said(glasses: Glasses) -> Any:
        glasses.outside = replace(glasses.outside, others=others)
        return await glasses.say(WORD, WHO), await glasses.say(END, WHO)

    broken, ended = World().run(said)
    assert (broken["told"], broken["said"]) == (["n1", "n2", "n8", "n9"], ["n1", "n2", "n8"])
    assert broken["missing"] == ended["missing"] == ["collector c is gone"]
    assert words[0]["id"] == broken["id"] and (words[1]["ended"], words[1]["nodes"]) == (ended["ended"], [])

    async def taken(glasses: Glasses) -> Any:
        first = await glasses.take(words[0])
        during = glasses.greet("a9", "n1")
        await glasses.take(words[1])
        return first, during, glasses.greet("a9", "n1")

    world = World()
    first, during, after = world.run(taken)
    assert first == {"told": ["n1", "n2"], "said": ["n1", "n2"]} and during[0].glass.id == broken["id"] and after == []
    assert [one["endedBy"] for one in world.kept] == [WHO[0]], "the one that was told of it first has recorded that it is broken"
