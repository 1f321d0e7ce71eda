"""What became of policies that are objects of the API, with all collectors of one database: one of them tells the objects, of all.

A policy is in force on a node as the collector has it that the node's agent calls. The first of the list that answers tells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chaperone.collector.policing import Status, Statuses
from chaperone.collector.serve.peers import Peers

QUESTION = "policies"


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Asks all. A policing.Others."""

    peers: Peers

    @property
    def is_heading(self) -> bool:
        """The first of the list has the last word, also where another could not ask it and told in its place."""
        return not self.peers.own or self.peers.own == self.peers.all[0]

    @property
    def is_alone(self) -> bool:
        """There are no others."""
        return not self.peers.others

    async def laid_together(self, own: Statuses) -> Statuses | None:
        """What objects are to be told, by name, where `own` is what became of them here. None where another collector tells them."""
        heard = await self.peers.ask(QUESTION, {})
        if not self.peers.is_first(heard):
            return None
        found = {who: {row["name"]: row["status"] for row in rows} for who, rows in heard.rows.items()} | {self.peers.own: own}
        return {name: _one({who: found[who].get(name) for who in sorted(found)}, status, heard.missing) for name, status in own.items()}


def _one(everywhere: Mapping[str, Status | None], own: Status, missing: tuple[str, ...]) -> Status:
    """It is accepted where all who answer accept what is newest; nodes are those on which any of it is in force."""
    there = [status for status in everywhere.values() if status]
    newest = max(status["observedGeneration"] for status in there)
    nodes = sorted({node for status in there for node in status["nodes"]})
    why = [*_problems(everywhere, newest), *missing]
    accepted = all(status["accepted"] for status in there)
    return own | {"accepted": accepted, "message": "; ".join(why), "observedGeneration": newest, "nodes": nodes}


def _problems(everywhere: Mapping[str, Status | None], newest: int) -> Iterator[str]:
    """What all say is said once; else who says it."""
    said = {who: _problem(status, newest) for who, status in everywhere.items()}
    if len(set(said.values())) == 1:
        yield from filter(None, set(said.values()))
    else:
        yield from (f"collector {who}: {problem}" for who, problem in said.items() if problem)


def _problem(status: Status | None, newest: int) -> str:
    if status is None or status["observedGeneration"] < newest:
        return f"generation {newest} is not taken yet"
    return str(status["message"])
