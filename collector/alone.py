"""What a collector knows and does by itself, for the others of its database to ask (proto/query.proto, Peers). Nothing is asked on.

| question | parameters | rows |
| --- | --- | --- |
| live | {} | one: {nodes, version, pid, uptime_s, refusal} |
| workloads | {sessions} | for each: {session, wished, effective, why} |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.collector.parameters import object_in

Document = dict[str, Any]
Rows = list[Document]


@dataclass(frozen=True, slots=True)
class Alone:
    """`nodes`: whose agents call; `process`: {version, pid, uptime_s, refusal}; `modes`: how a session is governed."""

    nodes: Callable[[], frozenset[str]]
    process: Callable[[], Document]
    modes: Callable[[str], Document]

    def live(self) -> Document:
        """The row of that question."""
        return {"nodes": sorted(self.nodes()), **self.process()}

    async def ask(self, name: str, parameters: str) -> Rows:
        """ValueError when it is no question between collectors, or lacks something."""
        given = object_in(parameters)
        try:
            return await self._answered(name, given)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name}: expected other parameters ({type(error).__name__})") from None

    async def _answered(self, name: str, given: Mapping[str, Any]) -> Rows:
        match name:
            case "live":
                return [self.live()]
            case "workloads":
                return [self.modes(str(session)) for session in given["sessions"]]
        raise ValueError(f"collectors ask one another nothing that is called {name[:40]!r}")
