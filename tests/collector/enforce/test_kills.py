"""Ending things by order: agents are made by hand, the event loop is real."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from support.made_alerts import judged, verdict

from chaperone.collector.enforce import kills as module
from chaperone.collector.enforce.kills import Kill, Kills, Outside, Said, kill_from
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Ends, Enforce, Moment

WHO = "unix:root", "local socket"


@dataclass
class World:
    """`answers`: what an agent says at once; None: nothing. `agents`: how many hear."""

    answers: str | None = "ended"
    agents: int = 1
    trouble: str = ""
    kept: list[Mapping[str, Any]] = field(default_factory=list)
    told: list[Kill] = field(default_factory=list)
    kills: Kills | None = None
    others: tuple[tuple[float, Said], ...] = ()  # after how long another collector says what

    def _others(self, kill: Kill) -> list[Any]:
        async def one(delay_s: float, said: Said) -> Said:
            await asyncio.sleep(delay_s)
            return said

        return [one(*each) for each in self.others]

    async def _find(self, target: Ends, prefix: str) -> tuple[str, str]:
        if prefix == "none":
            raise ValueError(f"no {target} that goes on has an id that begins with 'none'")
        return f"{prefix}-whole", "5" * 32

    def _tell(self, kill: Kill) -> int:
        self.told.append(kill)
        if self.answers is not None and self.kills:
            self.kills.heard(kill.id, self.answers)
            self.kills.heard(kill.id, "said twice")
        return self.agents

    async def _keep(self, documents: Sequence[Mapping[str, Any]]) -> str:
        self.kept += documents
        return self.trouble


def run(world: World, then: Callable[[Kills], Awaitable[Any]]) -> Any:
    async def on() -> Any:
        world.kills = Kills(Outside(world._find, world._tell, world._keep, lambda text: text.replace("hunter2", "~"), world._others))
        world.kills.begin()
        found = await then(world.kills)
        while world.kills._under_way:
            await asyncio.sleep(0.01)
        return found

    return asyncio.run(on())


def kill(world: World, prefix: str = "ab", why: str = "it scans, hunter2") -> dict[str, Any]:
    found: dict[str, Any] = run(world, lambda kills: kills.kill(Ends.PROCESS, prefix, WHO, why))
    return found


def test_it_is_recorded_told_and_has_ended_when_the_agent_says_so() -> None:
    world = World()
    found = kill(world)
    assert (found["target"], found["subject"], found["stage"], found["why"], found["who"]) == (
        "process", "ab-whole", "ended", "it scans, ~", "unix:root",
    )  # fmt: skip
    assert [(one["id"], one["stage"], one["version"]) for one in world.kept] == [(found["id"], "asked", 1), (found["id"], "ended", 2)]
    assert world.told[0].subject == "ab-whole"


OTHERWISE = {
    "it could not": (World("1 of its processes have not ended"), "failed", "1 of its processes have not ended"),
    "no agent": (World(None, agents=0), "unanswered", "no agent is connected"),
    "nobody has it": (World(None), "unanswered", "no agent that has it answered within 0.05 s"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_not_certain_is_said(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    world, stage, result = OTHERWISE[what]
    found = kill(world)
    assert (found["stage"], found["result"]) == (stage, result) == (world.kept[-1]["stage"], world.kept[-1]["result"])


def test_nothing_is_ended_without_a_reason_a_subject_or_a_record() -> None:
    for world, prefix, why, problem in (
        (World(), "ab", " ", "a reason is needed"),
        (World(), "none", "x", "no process that goes on"),
        (World(trouble="no space left"), "ab", "x", "nothing is ended that can't be recorded: no space left"),
    ):
        with pytest.raises(ValueError, match=problem):
            kill(world, prefix, why)
        assert world.told == []


def killing(*ends: Ends, effective: Enforce = Enforce.ENFORCE) -> Judged:
    event = judged(1).event
    verdicts = tuple(verdict(event, Action.KILL, f"ends-{one}", effective=effective, ends=one) for one in ends)
    plain = judged(1)
    return replace(plain, verdicts=verdicts, process=dict(plain.process) | {"id": "p" * 32})


def told(one: Judged, holds: bool = False) -> list[tuple[Ends, str]]:
    async def then(kills: Kills) -> None:
        kills.holds = lambda action, stream, moment: holds
        kills.perform(one)
        await asyncio.sleep(0.01)

    world = World()
    run(world, then)
    assert all(kill.who.startswith("rule ends-") and kill.why.startswith("rule ends-") for kill in world.told)
    return [(kill.target, kill.subject) for kill in world.told]


def test_a_rule_ends_the_widest_that_is_said_once() -> None:
    assert told(killing(Ends.CONNECTION)) == [(Ends.CONNECTION, "a" * 32)]
    assert told(killing(Ends.CONNECTION, Ends.PROCESS)) == [(Ends.PROCESS, "p" * 32)]
    assert told(killing(Ends.PROCESS, Ends.SESSION, Ends.CONNECTION)) == [(Ends.SESSION, "5" * 32)]


def test_while_the_glass_is_broken_rules_end_nothing_but_people_do() -> None:
    async def then(kills: Kills) -> None:
        kills.spares = lambda session, stream: session == "5" * 32 or stream == "a" * 32
        kills.perform(killing(Ends.SESSION))
        assert not kills.carries_out(Action.KILL, "a" * 32, Moment.REQUEST) and kills.carries_out(Action.KILL, "b" * 32, Moment.REQUEST)
        await kills.kill(Ends.PROCESS, "ab", WHO, "planned")

    world = World()
    run(world, then)
    assert [kill.target for kill in world.told] == [Ends.PROCESS]


def test_what_an_order_about_a_hold_ends_is_not_ended_twice() -> None:
    assert told(killing(Ends.CONNECTION), holds=True) == []
    assert told(killing(Ends.PROCESS), holds=True) == [(Ends.PROCESS, "p" * 32)]


def test_a_rule_that_does_not_act_ends_nothing() -> None:
    assert told(killing(Ends.PROCESS, effective=Enforce.WARN)) == []
    assert told(replace(killing(), verdicts=())) == []


def test_killing_is_what_it_carries_out_and_it_needs_no_whole_request() -> None:
    async def then(kills: Kills) -> bool:
        kills.foresee(killing(Ends.PROCESS))
        await asyncio.sleep(0.01)
        return kills.carries_out(Action.KILL, "", Moment.END) and not kills.carries_out(Action.DENY, "", Moment.END)

    world = World()
    assert run(world, then) and len(world.told) == 1


def test_an_agent_of_another_collector_may_have_it_and_one_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    slow, gone = (60.0, Said("too late", 1)), (0.0, Said(missing=("collector c is gone",)))
    assert kill(World(None, others=(gone, (0.0, Said("ended", 1)), slow)))["stage"] == "ended"
    found = kill(World(None, agents=0, others=(gone, (0.0, Said("", 1)))))
    assert (found["stage"], found["result"]) == ("unanswered", "no agent that has it answered within 0.05 s; collector c is gone")


def test_what_another_collector_ends_is_told_and_not_recorded() -> None:
    world = World("ended")
    asks = Kill("kill-1", Ends.SESSION, "s" * 32, "s" * 32, "user:ann", "token", "w", 7_000_000_000)
    assert run(world, lambda kills: kills.tell(kill_from(asks.document()))) == Said("ended", 1)
    assert world.kept == [] and world.told == [asks]
