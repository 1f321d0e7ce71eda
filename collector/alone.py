"""What a collector knows and does by itself, for the others of its database to ask (proto/query.proto, Peers). Nothing is asked on.

| question | parameters | rows |
| --- | --- | --- |
| live | {} | one: {nodes, version, pid, uptime_s, refusal} |
| workloads | {sessions} | for each: {session, wished, effective, why} |
| approvals.here | {approval} | {id} of those that begin so and whose node's agent calls us |
| approvals.decide | {approval, approve, why, person: {name, groups, how}} | the approval; who it is was asked where they called |
| kill | a kill's document (enforce/kills.py) | one: {result, told} |
| glass | a word (enforce/glass.py) | one: {told, said} |
| policies | {} | for each object: {name, status} (policing.py) |
| alerts.list, .ack, .status, .test | theirs (enforce/alerter.py) | of our own outbox and receivers |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.collector.enforce.approvals.office import Office
from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.enforce.glass import Glasses
from chaperone.collector.enforce.kills import Kills, kill_from
from chaperone.collector.parameters import object_in
from chaperone.collector.serve.query import Ask

ALERTS = ("alerts.list", "alerts.ack", "alerts.status", "alerts.test")  # that collectors ask one another
Document = dict[str, Any]
Rows = list[Document]


@dataclass(frozen=True, slots=True)
class Alone:
    """`nodes`: whose agents call; `process`: {version, pid, uptime_s, refusal}; `modes`: how a session is governed; `alerts`: answers
    about our outbox; `policies`: what became of objects."""

    nodes: Callable[[], frozenset[str]]
    process: Callable[[], Document]
    modes: Callable[[str], Document]
    office: Office
    kills: Kills
    glasses: Glasses
    alerts: Ask
    policies: Callable[[], Rows]

    def live(self) -> Document:
        """The row of that question."""
        return {"nodes": sorted(self.nodes()), **self.process()}

    def here(self, prefix: str) -> Rows:
        """{id} of the approvals that are ours to decide."""
        nodes = self.nodes()
        return [{"id": one.id} for one in self.office.starting(prefix) if one.asking.alert.who.node in nodes]

    async def ask(self, name: str, parameters: str) -> Rows:
        """ValueError when it is no question between collectors, or lacks something."""
        given = object_in(parameters)
        if name in ALERTS:
            return await self.alerts(name, parameters)
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
            case "policies":
                return self.policies()
            case "approvals.here":
                return self.here(given["approval"])
            case "approvals.decide":
                return [await self.office.decide(given["approval"], _person(given["person"]), given["approve"] is True, given["why"])]
            case "kill":
                said = await self.kills.tell(kill_from(given))
                return [{"result": said.result, "told": said.told}]
            case "glass":
                return [await self.glasses.take(given)]
        raise ValueError(f"collectors ask one another nothing that is called {name[:40]!r}")


def _person(found: Mapping[str, Any]) -> Person:
    return Person(found["name"], frozenset(found["groups"]), found["how"])
