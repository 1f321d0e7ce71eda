import asyncio
from typing import Any

from chaperone.collector.pipeline.successor import Successor
from chaperone.collector.store.docket import Docket
from chaperone.collector.store.recall import Past
from chaperone.collector.store.turns import Standing


class Doubles:
    """Store, pipeline and modes in one: what they were asked for, in order."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def past(self, boot: str = "") -> Past:
        self.asked.append(("past", boot))
        return Past()

    async def docket(self, horizon_ns: int, boot: str = "") -> Docket:
        self.asked.append(("docket", horizon_ns, boot))
        return Docket()

    async def approvals(self, boot: str = "") -> list[dict[str, str]]:
        return [{"boot": boot}]

    def turn(self, agent: str) -> int:
        return 3

    async def greet(self, agent: str, call: int, step: int) -> Standing:
        return Standing(call + step)

    def recall(self, *what: object) -> None:
        self.asked.append(("recalled", len(what)))

    def take_over(self, agent: str, *what: object) -> None:
        self.asked.append(("taken over", agent))


class Recalls:
    """An office."""

    def __init__(self, asked: list[Any]) -> None:
        self.asked = asked

    def recall(self, documents: Any, turn: int = 0) -> None:
        self.asked.append(("approvals", documents, turn))


def made(doubles: Any) -> Successor:
    return Successor(doubles, doubles, (doubles, Recalls(doubles.asked)), lambda: 7)


def test_a_store_of_ones_own_is_gone_on_with_at_once() -> None:
    doubles = Doubles()
    asyncio.run(made(doubles).go_on())
    assert doubles.asked == [("past", ""), ("docket", 7, ""), ("recalled", 2), ("recalled", 1)]


def test_an_agent_is_gone_on_with_when_the_pipeline_gets_to_it() -> None:
    doubles = Doubles()
    go_on = asyncio.run(made(doubles).inherit("a", "boot"))
    assert doubles.asked == [("past", "boot"), ("docket", 7, "boot")]
    go_on()
    assert doubles.asked[2:] == [("approvals", [{"boot": "boot"}], 3), ("taken over", "a"), ("recalled", 1)]
    assert asyncio.run(made(doubles).greet("a", 2, 1)) == Standing(3)
