"""Going on where an earlier collector was: with everything, when a store of our own is opened, or with one agent."""

from collections.abc import Callable

from chaperone.collector.enforce.approvals.office import Office
from chaperone.collector.pipeline.effective import Modes
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.store.opened import Store
from chaperone.collector.store.turns import Standing


class Successor:
    """An ingest.intake.Succession. `horizon_ns`: how long the longest rule remembers."""

    def __init__(self, store: Store, pipeline: JudgedPipeline, holding: tuple[Modes, Office], horizon_ns: Callable[[], int]) -> None:
        self._store, self._pipeline, (self._modes, self._office), self._horizon_ns = store, pipeline, holding, horizon_ns

    async def go_on(self) -> None:
        """With all that the store has, before anybody calls."""
        past = await self._store.past()
        self._pipeline.recall(past, await self._store.docket(self._horizon_ns()))
        self._modes.recall(past)

    async def greet(self, agent: str, call: int, step: int) -> Standing:
        """An agent calls: how far it is, and that it is ours from now on."""
        return await self._store.greet(agent, call, step)

    async def inherit(self, agent: str, boot: str) -> Callable[[], None]:
        """What the store has of an agent of this boot."""
        past = await self._store.past(boot)
        docket = await self._store.docket(self._horizon_ns(), boot)
        approvals = await self._store.approvals(boot)

        def go_on() -> None:
            self._office.recall(approvals, self._store.turn(agent))
            self._pipeline.take_over(agent, past, docket)
            self._modes.recall(past)

        return go_on
