"""What becomes of policies besides being in force: each change is recorded, and objects of the API are told what became of them."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from chaperone.collector.ingest.history import History
from chaperone.collector.ingest.reload import PolicyFiles
from chaperone.collector.lookup.client import UnansweredError
from chaperone.collector.parts import mapping
from chaperone.collector.rules.document import Policy
from chaperone.collector.rules.objects import Object

LOOK_S = 1.0
SHARED = 5  # looks, of which one asks other collectors, where there are any
NODES = 100  # that are named in a status
Status = dict[str, Any]
Statuses = Mapping[str, Status]  # by name of the object


class Objects(Protocol):
    """collector/lookup/objects.py."""

    def tell(self, name: str, status: Mapping[str, Any]) -> None:
        """Write an object's status. UnansweredError."""
        ...


class Others(Protocol):
    """collector/accepted.py."""

    @property
    def is_heading(self) -> bool:
        """Whether what somebody else wrote is overwritten."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether there are none."""
        ...

    async def laid_together(self, own: Statuses) -> Statuses | None:
        """What objects are to be told; None where another collector tells them."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """`known`: the texts of the last collector. `keep`: durable when it returns "", else why not. `nodes`: whose agents call. `others`:
    collectors of the same database."""

    known: Callable[[], Awaitable[dict[str, str]]]
    keep: Callable[[Sequence[Mapping[str, Any]]], Awaitable[str]]
    mask: Callable[[str], str]
    nodes: Callable[[], frozenset[str]]
    others: Others
    log: Callable[[str], None]


@dataclass(slots=True)
class Policing:
    """`given`: the objects as the API has them, by name; `objects`: who tells it what became of them."""

    policies: PolicyFiles
    outside: Outside
    objects: Objects | None = None
    given: Mapping[str, Object] = field(default_factory=dict)
    _history: History | None = None
    _told: dict[str, Object] = field(default_factory=dict)
    _problem: str = ""

    def give(self, objects: Mapping[str, Object]) -> None:
        """These are all. In the event loop."""
        self.given = objects
        self._told = {name: told for name, told in self._told.items() if name in objects}
        self.policies.give(objects)

    def note(self, statuses: Mapping[str, Object]) -> None:
        """These the API has now. In the event loop."""
        if self.outside.others.is_heading:
            self._told.update(statuses)

    async def watch(self) -> None:
        """Until cancelled. Whoever sees an object's status finds it in the history."""
        for number in itertools.count():
            await self.record()
            if self.outside.others.is_alone or number % SHARED == 0:
                await self.tell()
            await asyncio.sleep(LOOK_S)

    def rows(self) -> list[dict[str, Any]]:
        """What became of each object here: {name, status}, for other collectors."""
        return [{"name": name, "status": status} for name, status in self._statuses()]

    async def record(self) -> None:
        """What has changed since the last time."""
        if self._history is None:
            self._history = History(await self.outside.known(), self.outside.mask)
        now = time.time_ns()
        found = self._history.changes(self.policies.sources, now) + self._history.refusals(self.policies.problems, now)
        if found and (trouble := await self.outside.keep([change.document() for change in found])):
            self.outside.log(f"changes of policies wait to be recorded: {trouble}")

    async def tell(self) -> None:
        """Each object what became of it, where it does not know yet."""
        found = await self.outside.others.laid_together(dict(self._statuses())) if self.objects else {}
        if found is None:
            self._told = {name: {} for name in self.given}  # somebody else tells: whoever follows them begins anew
            return
        for name, one in found.items():
            status = one | {"nodes": one["nodes"][:NODES], "nodeCount": len(one["nodes"])}
            if name in self.given and self._known(name) != status and not await self._tell(name, status):
                return
        self._note("")

    def _known(self, name: str) -> Object:
        return self._told.get(name, mapping(self.given[name], "status"))

    async def _tell(self, name: str, status: Status) -> bool:
        assert self.objects is not None
        self._told[name] = status  # what somebody else writes behind it may be noted before we hear that it is written
        try:
            await asyncio.to_thread(self.objects.tell, name, status)
        except UnansweredError as error:
            self._told[name] = {}
            self._note(str(error))
            return False
        return True

    def _statuses(self) -> Iterator[tuple[str, Status]]:
        """Of those that have been read since they were given."""
        nodes, given = self.outside.nodes(), self.given
        for name, one in given.items() if self.policies.has_read(given) else ():
            policy, problem = self.policies.accepted(name), self.policies.refusals.get(name, "")
            effective = _nodes(policy, nodes) if policy else []
            status = {"accepted": not problem, "message": problem, "rules": len(policy.rules) if policy else 0}
            yield name, {**status, "observedGeneration": _generation(one), "nodes": effective}

    def _note(self, problem: str) -> None:
        if problem and problem != self._problem:
            self.outside.log(f"objects are not told what became of them: {problem}")
        self._problem = problem


def _nodes(policy: Policy, nodes: frozenset[str]) -> list[str]:
    patterns = dict(policy.selector.patterns).get("nodes", ("*",))
    return sorted(node for node in nodes if any(fnmatchcase(node, pattern) for pattern in patterns))


def _generation(one: Object) -> int:
    found = mapping(one, "metadata").get("generation")
    return found if isinstance(found, int) else 0
