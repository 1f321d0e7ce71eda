"""Lifts the startup taint of each node whose agent is ready (collector/lookup/startup.py), again and again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from chaperone.collector.lookup.access import Access
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.lookup.startup import agents, lift, ready_nodes

LOOK_S = 5.0
EACH_S = 0.02  # longer, for each agent there is: a list of 5,000 pods is 30 MB


@dataclass(slots=True)
class Taints:
    """`namespace`: ours, where the agents are. Each agent that becomes ready has its node looked at once."""

    access: Access
    namespace: str
    log: Callable[[str], None]
    _done: frozenset[str] = frozenset()
    _problem: str = ""

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S + EACH_S * await self.look())

    async def look(self) -> int:
        """Once; how many agents there are."""
        try:
            found = await asyncio.to_thread(agents, self.access, self.namespace)
        except UnansweredError as error:
            self._note(str(error))
            return 0
        ready = ready_nodes(found)
        self._done &= ready.keys()
        troubles = [await self._lift(agent, ready[agent]) for agent in sorted(ready.keys() - self._done)]
        self._note("; ".join(filter(None, troubles)))
        return len(found)

    async def _lift(self, agent: str, node: str) -> str:
        """What is in the way; "" for nothing."""
        try:
            if await asyncio.to_thread(lift, self.access, node):
                self.log(f"the startup taint of node {node} is lifted: its agent is ready")
        except UnansweredError as error:
            return str(error)
        self._done |= {agent}
        return ""

    def _note(self, problem: str) -> None:
        if problem and problem != self._problem:
            self.log(f"startup taints stay: {problem}")
        self._problem = problem
