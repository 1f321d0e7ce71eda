"""What people decide: on approvals, and that something ends. Those of this machine at a socket of its own, where the kernel says who it
is; others by a question, whose caller is known by certificate or token."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chaperone.collector.enforce.approvals.values import Person
from chaperone.collector.enforce.glass import Glasses
from chaperone.collector.enforce.kills import Kills
from chaperone.collector.identity.caller import CALLER
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.serve.decisions import deciding, word_in
from chaperone.collector.serve.peer import Peer
from chaperone.collector.store.directory import DECISIONS, StoreDirectory, socket_path

QUESTIONS = {"approvals.decide": "approval", "kill": "kill", "glass": "glass"}  # and the key of the word that each takes


class Decides(Protocol):
    """An office, or several of which one decides."""

    async def decide(self, prefix: str, person: Person, approves: bool, why: str) -> dict[str, Any]:
        """Somebody's word about the approval whose id begins so; the approval, once that is stored. ValueError when it does not count."""
        ...


@dataclass(frozen=True, slots=True)
class People:
    """Hands their words on."""

    office: Decides
    kills: Kills
    glasses: Glasses

    @asynccontextmanager
    async def listening(self, directory: StoreDirectory, activity: AbstractContextManager[Any]) -> AsyncIterator[None]:
        """At the socket of decisions."""

        async def decide(peer: Peer, word: Mapping[str, Any]) -> Mapping[str, Any]:
            return await self._done(Person(f"unix:{peer.user}", how=peer.how), word)

        async with deciding(Path(socket_path(directory.path, DECISIONS)), decide, activity):
            yield

    async def ask(self, question: str, parameters: str) -> list[dict[str, Any]]:
        """One of QUESTIONS, by whoever calls → what came of it. ValueError."""
        caller, word = CALLER.get(), word_in(parameters)
        if caller.is_owner:
            raise ValueError("at this machine the socket for decisions is asked, where the kernel says who it is")
        if QUESTIONS[question] not in word:
            raise ValueError(f"{question} takes no such word")
        return [await self._done(Person(f"user:{caller.name}", caller.groups, str(caller.means)), word)]

    async def _done(self, person: Person, word: Mapping[str, Any]) -> dict[str, Any]:
        if "approval" in word:
            return await self.office.decide(word["approval"], person, word["approve"], word["why"])
        if "glass" in word:
            return await self.glasses.say(word, (person.name, person.how))
        if word["kill"] not in set(Ends):
            raise ValueError(f"expected one of {', '.join(Ends)} to end")
        return await self.kills.kill(Ends(word["kill"]), word["id"], (person.name, person.how), word["why"])
